import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf, sign } from '../../domain/author.ts';
import { type AccountState, type Change, creation, difference, stateOf } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import { movedOn } from '../../domain/inversion.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { User } from '../../domain/user.ts';
import { recordChanges } from '../../store/change-log.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import type { Unit } from '../../store/unit.ts';
import { changeAccount } from '../accounts/accounts.ts';

/** A refusal names so many fields at the most, each with so many characters: preferences can have thousands. */
const MAX_FIELDS = 100;
const MAX_FIELD_LENGTH = 255;

/**
 * Takes an entry of the history back, as a new change: what it has changed becomes what it was, an account that it made
 * goes, and one that it deleted is there again, with its id and all it had, be it allowed by now or not. Returns how to get
 * the new entry once the unit is flushed.
 *
 * Throws `not_found`; `erased` where nobody knows any more what it was; `changed_since` where more than the entry would be
 * taken back (`details.fields` are the fields that have moved on); `invalid_input` for preferences that are not allowed
 * any more, and, when it is flushed, `email_taken`, `last_admin` and `forbidden`.
 */
export async function undoChange(
  { em }: Pick<Unit, 'em'>,
  id: number,
  rules: PreferenceRules,
): Promise<() => Change> {
  const entry = await lockEntry(em, id);
  const author = authorOf(em);
  let recorded: Change | undefined;
  sign(em, {
    ...author,
    undoes: id,
    onRecorded: (changes) => {
      author.onRecorded?.(changes);
      recorded = changes[0];
    },
  });
  // As it is now, also where it is the one who asks; and so it stays, for what is decided by it.
  const account = await em.findOne(
    User,
    { id: entry.userId },
    { refresh: true, lockMode: LockMode.PESSIMISTIC_WRITE },
  );
  if (entry.action === 'deleted') await restore(em, entry);
  else if (account === null) throw changedSince(Object.keys(entry.after ?? {}));
  else if (entry.action === 'created') remove(em, account, entry);
  else invert(account, entry, rules);
  return () => recorded as Change;
}

/** The entry, which until the end of the transaction nobody else takes back, or erases. */
async function lockEntry(em: EntityManager, id: number): Promise<Change> {
  if (!em.isInTransaction()) await em.begin();
  const [row] = await em.execute<ChangeRow[]>(
    `select ${CHANGE_COLUMNS} from changes where id = ? for update`,
    [id],
  );
  if (row === undefined) throw new DomainError('not_found', 'There is no such entry.');
  if (row.erasedAt !== null) throw new DomainError('erased', 'What there was has been erased.');
  return changeOf(em, row);
}

function invert(account: User, entry: Change, rules: PreferenceRules): void {
  const moved = movedOn(entry, stateOf(account));
  if (moved.length > 0) throw changedSince(moved);
  const before = stateOf(account);
  changeAccount(account, entry.before ?? {}, rules);
  // As where nulls went from preferences that are older than the history.
  if (difference(before, stateOf(account)) === undefined) {
    throw new DomainError('changed_since', 'There is nothing left of this that could be taken back.', {
      details: { fields: [] },
    });
  }
}

function remove(em: EntityManager, account: User, entry: Change): void {
  const made = entry.after as AccountState;
  const since = difference(made, stateOf(account));
  if (since !== undefined) throw changedSince(movedOn(since, made));
  em.remove(account);
}

async function restore(em: EntityManager, entry: Change): Promise<void> {
  const state = entry.before as AccountState;
  const { createdAt = entry.at, ...fields } = state;
  const [last] = await em.execute<{ id: string }[]>(
    'select id from changes where user_id = ? order by at desc, id desc limit 1',
    [entry.userId],
  );
  if (Number(last?.id) !== entry.id) throw changedSince(Object.keys(fields));
  const [userId, version] = [entry.userId, entry.version + 1];
  // Past the flush, to which every new entity is at its first version.
  await em.insert(User, {
    ...fields,
    id: userId,
    version,
    createdAt: new Date(createdAt),
    // Later than the deletion by any clock, and the history goes by it.
    updatedAt: new Date(Math.max(Date.now(), entry.at.getTime() + 1)),
  });
  await recordChanges(em, [{ ...creation(state), userId, version, ofAdmin: state.role === 'admin' }]);
}

function changedSince(fields: readonly string[]): DomainError {
  return new DomainError('changed_since', 'This has changed since, and would be taken back along with it.', {
    details: { fields: fields.slice(0, MAX_FIELDS).map((field) => field.slice(0, MAX_FIELD_LENGTH)) },
  });
}
