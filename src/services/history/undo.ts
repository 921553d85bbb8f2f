import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, type Change, creation, difference, stateOf } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { movedOn } from '../../domain/inversion.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import { isAdmin, User } from '../../domain/user.ts';
import { recordChanges } from '../../store/change-log.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { subjectOf, type Unit } from '../../store/unit.ts';
import { changeAccount } from '../accounts/accounts.ts';

/**
 * Undoes an entry of the history by a new change: what it changed gets its old values, an account that it created is deleted,
 * and one that it deleted is restored, with its id and all it had, even where the present rules would not allow that.
 * Once the unit is flushed, its first recorded change is the new entry.
 *
 * Throws `not_found`; `erased` where the old values are gone; `changed_since` where the undo would take back more than the
 * entry (`details.fields` are the fields that have changed since); `invalid_input` for preferences that are no longer
 * allowed, and, at the flush, `email_taken`, `last_admin` and `forbidden`.
 */
export async function undoChange(unit: Unit, id: number, rules: PreferenceRules): Promise<void> {
  const { em } = unit;
  const entry = await lockEntry(unit, id);
  unit.undoes = id;
  unit.subject = subjectOf(entry.userId);
  // As it is now, even where it is the author's own; the lock keeps it so for the decision below.
  const account = await em.findOne(
    User,
    { id: entry.userId },
    { refresh: true, lockMode: LockMode.PESSIMISTIC_WRITE },
  );
  if (entry.action === 'deleted') await restore(unit, entry);
  else if (account === null) throw refusals.changedSince(Object.keys(entry.after ?? {}));
  else if (entry.action === 'created') remove(em, account, entry);
  else invert(account, entry, rules);
}

/** Locks the entry against other undos and erasures until the transaction ends. */
async function lockEntry(unit: Unit, id: number): Promise<Change> {
  const { em } = unit;
  await unit.begin();
  const [row] = await em.execute<ChangeRow[]>(
    `select ${CHANGE_COLUMNS} from changes where id = ? for update`,
    [id],
  );
  if (row === undefined) throw refusals.notFound('history entry with this id');
  if (row.erasedAt !== null) throw refusals.erased();
  return changeOf(em, row);
}

function invert(account: User, entry: Change, rules: PreferenceRules): void {
  const moved = movedOn(entry, stateOf(account));
  if (moved.length > 0) throw refusals.changedSince(moved);
  const before = stateOf(account);
  changeAccount(account, entry.before ?? {}, rules);
  // For example where the change only removed nulls from preferences that are older than the history.
  if (difference(before, stateOf(account)) === undefined) throw refusals.changedSince([]);
}

function remove(em: EntityManager, account: User, entry: Change): void {
  const made = entry.after as AccountState;
  const since = difference(made, stateOf(account));
  if (since !== undefined) throw refusals.changedSince(movedOn(since, made));
  em.remove(account);
}

async function restore(unit: Unit, entry: Change): Promise<void> {
  const { em } = unit;
  const before = entry.before as AccountState;
  // Entries keep the form in which an email was stored at their time.
  const state = { ...before, email: normalizeEmail(before.email) };
  const { createdAt = entry.at, ...fields } = state;
  const [last] = await em.execute<{ id: string }[]>(
    'select id from changes where user_id = ? order by at desc, id desc limit 1',
    [entry.userId],
  );
  if (Number(last?.id) !== entry.id) throw refusals.changedSince(Object.keys(fields));
  const [userId, version] = [entry.userId, entry.version + 1];
  // Past the flush, which starts every new entity at version 1.
  await em.insert(User, {
    ...fields,
    id: userId,
    version,
    createdAt: new Date(createdAt),
    // Later than the deletion by any clock: the history is ordered by it.
    updatedAt: new Date(Math.max(Date.now(), entry.at.getTime() + 1)),
  });
  await recordChanges(unit, [{ ...creation(state), userId, version, ofAdmin: isAdmin(state) }]);
}
