import { ChangeSetType, type UnitOfWork } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { ChangeDraft } from '../domain/change.ts';
import { ConsoleSession } from '../domain/console-session.ts';
import { Refusal } from '../domain/refusal.ts';
import { refusals } from '../domain/refusals.ts';
import type { Right } from '../domain/right.ts';
import { type Account, isActiveAdmin, User } from '../domain/user.ts';
import { accountChangeSets, originalOf } from './account-change-sets.ts';
import { lapsedSql } from './lapsed.ts';
import { SESSION_USABLE } from './session-condition.ts';
import type { Unit } from './unit.ts';

/** The condition for a row of `service_tokens` that may be used. By the clock: `now()` is when the transaction began. */
export const USABLE = 'revoked_at is null and coalesce(expires_at > clock_timestamp(), true)';

/**
 * Checks, inside the transaction that is about to commit, that the author still has the unit's right. A share lock orders the
 * check against a change of the right: either that change has committed, and this refuses, or it waits for the commit.
 * It comes last, because whoever holds the lock makes that change wait.
 * Throws `account_required`, `account_suspended`, `forbidden` or `unauthenticated`, as the author's next request would.
 */
export async function checkRight(unit: Unit): Promise<void> {
  await check(unit, 'for share');
}

/** The same without a lock, and of the session too, for what has not been written because the right is gone. Throws what {@link checkRight} throws. */
export async function requireRightNow(unit: Unit): Promise<void> {
  await check(unit, '');
  await requireSession(unit);
}

/**
 * Whether the author of a unit acts by a session of the console, which must last. Not where the unit has ended it itself past the flush,
 * with the account.
 */
export function actsBySession({ right, ownValuesBefore }: Pick<Unit, 'right' | 'ownValuesBefore'>): boolean {
  if (right === null || 'serviceTokenId' in right || right.sessionId === undefined) return false;
  return ownValuesBefore !== null && ownValuesBefore.status === undefined;
}

/** Whether the flush of a unit ends the session of its author, with the account or alone: afterwards, nobody could check it. */
export function endsOwnSession({ right }: Unit, uow: UnitOfWork): boolean {
  if (right === null || 'serviceTokenId' in right) return false;
  const { accountId, sessionId } = right;
  return uow.getChangeSets().some(({ type, entity, payload }) => {
    if (entity instanceof ConsoleSession) return entity.id === sessionId;
    const isOwn = entity instanceof User && entity.id === accountId;
    return isOwn && (type === ChangeSetType.DELETE || 'status' in payload);
  });
}

/**
 * Checks that the session of a unit's author lasts. With a lock, inside the transaction that is about to commit: it orders the check
 * against the end of the session, and against nothing else; after the account, which whoever suspends it locks first too.
 * Throws `unauthenticated`.
 */
export async function requireSession({ em, right }: Unit, lock: 'for key share' | '' = ''): Promise<void> {
  if (right === null || 'serviceTokenId' in right || right.sessionId === undefined) return;
  const text = `select id from console_sessions where id = ? and ${SESSION_USABLE} ${lock}`;
  const rows = await em.execute(text, [right.sessionId]);
  if (rows.length === 0) throw refusals.unauthenticated();
}

// Without the admins that the unit itself has made: the role of its author, the last admin until then, is over with the commit.
const RIGHTS = `select role, status, ${lapsedSql('users', { others: 'and other.id <> all(?::int[])' })} as "isLapsed" from users where id = ?`;

async function check(
  { em, right, ownValuesBefore, adminsTouched: { made } }: Unit,
  lock: 'for share' | '',
): Promise<void> {
  if (right === null) return;
  if ('serviceTokenId' in right) return checkServiceToken(em, right.serviceTokenId, lock);
  const [row] = await em.execute<Rights[]>(`${RIGHTS} ${lock}`, [`{${[...made]}}`, right.accountId]);
  // Without a row, the unit has deleted the account, whose values it knows then, or others have.
  const known = row ?? (ownValuesBefore !== null && 'status' in ownValuesBefore ? {} : undefined);
  requireRight(known && ownValuesBefore ? { ...known, ...ownValuesBefore } : undefined, right);
}

/**
 * The refusal of the next request of a unit's author, where its right is gone, for a unit that only reads. An outage of the database
 * takes nobody's right away.
 */
export async function lossOfRight(unit: Unit): Promise<Refusal | undefined> {
  try {
    await requireRightNow(unit);
  } catch (error) {
    if (error instanceof Refusal) return error;
  }
  return undefined;
}

/** Remembers what a unit's drafts change in its author's own account, for {@link checkRight}. */
export function noteOwnChanges(unit: Unit, drafts: readonly ChangeDraft[]): void {
  const { right } = unit;
  if (right === null || 'serviceTokenId' in right) return;
  for (const { userId, action, before } of drafts) {
    if (userId !== right.accountId || unit.ownValuesBefore === null) continue;
    unit.ownValuesBefore = action === 'created' ? null : { ...before, ...unit.ownValuesBefore };
  }
}

/**
 * Whether the flush itself checks the right, which saves the round trip: it writes the author's own account, and the version
 * of that row orders the write against every change of the right. Throws what {@link checkRight} throws.
 */
export function isCheckedByFlush(uow: UnitOfWork, right: Right): boolean {
  if ('serviceTokenId' in right) return false;
  const own = accountChangeSets(uow).find(
    ({ type, entity }) => type !== ChangeSetType.CREATE && entity.id === right.accountId,
  );
  if (own === undefined) return false;
  // As loaded: it may lay down the right itself. A replay has read it again. A role that ends may have ended since.
  const original = originalOf(own.entity);
  if (right.asAdmin && original?.roleUntil) return false;
  requireRight(original, right);
  return true;
}

/** The values that decide what an account may do. */
type Rights = Pick<Account, 'role' | 'status' | 'isLapsed'>;

function requireRight(account: Partial<Rights> | undefined, { asAdmin }: { asAdmin: boolean }): void {
  if (account === undefined) throw refusals.accountRequired();
  if (account.status !== 'active') throw refusals.accountSuspended();
  if (asAdmin && !isActiveAdmin(account)) throw refusals.adminsOnly();
}

async function checkServiceToken(em: EntityManager, id: number, lock: string): Promise<void> {
  const rows = await em.execute(`select id from service_tokens where id = ? and ${USABLE} ${lock}`, [id]);
  if (rows.length === 0) throw refusals.unauthenticated();
}
