import type { EntityManager } from '@mikro-orm/postgresql';
import { ERASED_ACTOR } from '../../domain/change.ts';
import { emailForms, normalizeEmail } from '../../domain/email.ts';
import { refusals } from '../../domain/refusals.ts';
import { User } from '../../domain/user.ts';
import { eraseHistory } from '../../store/erase-history.ts';
import type { Ask } from '../../store/statements.ts';
import type { Unit, UnitOfWork } from '../../store/unit.ts';

/** How many accounts one transaction erases. */
const BATCH_SIZE = 20;

/** SQL for the deletions that are so many days old and have not been undone, oldest first. */
const dueAfter = (days: string) => `from changes as deletion
   where action = 'deleted' and erased_at is null and at <= now() - make_interval(days => ${days})
     and not exists (select from users where id = deletion.user_id)
     and not exists (
       select from changes as later
        where later.user_id = deletion.user_id and (later.at, later.id) > (deletion.at, deletion.id)
     )
   order by at`;

// A process that works on a deletion has locked it already.
const DUE = `select user_id as "userId" ${dueAfter(':days')} limit :size for update skip locked`;

const DUE_NOW = `
  select count(*)::int as accounts,
         coalesce(extract(epoch from now() - make_interval(days => $1) - min(at)), 0)::float8 as "overdueSeconds"
    from (select at ${dueAfter('$1')} limit $2) as due`;

// A request in flight while its account was erased signed its changes with the email afterwards. No request takes a day.
const SIGNED_SINCE = `
  select user_id as "userId" from changes as deletion
   where action = 'deleted' and erased_at is not null and at > now() - interval '1 day'
     and exists (
       select from changes as act
        where act.actor_id = deletion.user_id and act.actor <> '${ERASED_ACTOR}' || act.actor_id
     )
   order by at limit :size for update skip locked`;

const DELETED_AS = `
  select user_id as "userId" from changes as deletion
   where action = 'deleted' and erased_at is null and before->>'email' in (:emails)
     and not exists (
       select from changes as later
        where later.user_id = deletion.user_id and (later.at, later.id) > (deletion.at, deletion.id)
     )`;

/** The most due erasures that are counted. */
const MAX_DUE = 10_000;

/** Erasures that are due. */
export interface DueErasures {
  /** {@link MAX_DUE} stands for more. */
  readonly accounts: number;
  /** For how long the oldest of them has been due, in seconds; 0 where there is none. */
  readonly overdueSeconds: number;
}

/** Counts what {@link eraseDue} would erase now. */
export async function dueErasures(ask: Ask, days: number): Promise<DueErasures> {
  const [due] = await ask<DueErasures>({ text: DUE_NOW, values: [days, MAX_DUE] });
  return due as DueErasures;
}

/**
 * Erases the accounts that were deleted `days` days ago or earlier, in small transactions, and returns their number. Safe to
 * run on several servers at once; a killed run leaves every account either erased or untouched. Throws the reason of
 * `signal` when it aborts.
 */
export async function eraseDue(inUnit: UnitOfWork, days: number, signal: AbortSignal): Promise<number> {
  const inBatches = async (statement: string) => {
    let total = 0;
    for (let found = BATCH_SIZE; found === BATCH_SIZE; ) {
      total += await inUnit(
        async (unit) => {
          const { em } = unit;
          await unit.begin();
          const ids = await idsOf(em, statement, { days, size: BATCH_SIZE });
          found = ids.length;
          const deleted = await lockDeleted(em, ids);
          await eraseHistory(em, deleted, signal);
          return deleted.length;
        },
        { isInBackground: true },
      );
    }
    return total;
  };
  const due = await inBatches(DUE);
  await inBatches(SIGNED_SINCE);
  return due;
}

/**
 * Erases the account with this email, deleting it if it exists, and deleted accounts that had the email and could still be
 * restored. Returns their number. Throws `not_found` and, at the flush, `last_admin`.
 */
export async function eraseAccounts(unit: Unit, email: string): Promise<number> {
  const { em } = unit;
  await unit.begin();
  const emails = emailForms(normalizeEmail(email));
  const ids = await idsOf(em, DELETED_AS, { emails });
  const deleted = await lockDeleted(em, ids);
  // Only now: none of the deleted accounts can be restored any more.
  const accounts = await em.find(User, { email: { $in: [...emails] } });
  if (accounts.length + deleted.length === 0) {
    throw refusals.notFound(`account with the email ${email}, nor a deleted one`);
  }
  await eraseHistory(em, deleted);
  for (const account of accounts) {
    await unit.claim(account);
    unit.erases = true;
    em.remove(account);
  }
  return deleted.length + accounts.length;
}

async function idsOf(
  em: EntityManager,
  statement: string,
  values: Record<string, unknown>,
): Promise<number[]> {
  const rows = await em.execute<{ userId: number }[]>(statement, values);
  return [...new Set(rows.map(({ userId }) => userId))];
}

/**
 * Those of the accounts that are deleted, kept so until the transaction of `em` ends: restoring an account locks the entry of
 * its deletion first.
 */
async function lockDeleted(em: EntityManager, ids: readonly number[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const deletions = `changes where user_id in (:ids) and action = 'deleted'`;
  await em.execute(`select id from ${deletions} order by id for update`, { ids });
  // A second statement: the first one does not see what was committed while it waited for a lock.
  return idsOf(
    em,
    `select user_id as "userId" from ${deletions} and not exists (select from users where users.id = user_id)`,
    { ids },
  );
}
