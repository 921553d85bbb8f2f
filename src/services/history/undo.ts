import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, type Change, difference, stateOf } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { movedOn } from '../../domain/inversion.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import {
  type AccountRow,
  type AccountWrite,
  changeBetween,
  lockAccounts,
  writeAccounts,
} from '../../store/account-writes.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { runInTransaction } from '../../store/statements.ts';
import { subjectOf, type Unit } from '../../store/unit.ts';
import { changedValues } from '../accounts/accounts.ts';

/**
 * Undoes an entry of the history by a new change: what it changed gets its old values, an account that it created is deleted,
 * and one that it deleted is restored, with its id and all it had, even where the present rules would not allow that.
 * The unit's first recorded change is the new entry.
 *
 * Throws `not_found`; `erased` where the old values are gone; `changed_since` where the undo would take back more than the
 * entry (`details.fields` are the fields that have changed since); `invalid_input` for preferences that are no longer
 * allowed; `email_taken`, `account_in_use`, `last_admin` and `forbidden`.
 */
export async function undoChange(unit: Unit, id: number, rules: PreferenceRules): Promise<void> {
  const entry = await findEntry(unit, id);
  unit.shows = 1;
  unit.subject = subjectOf(entry.userId);
  const { obstacles, takesAdminAway } = await undoEntries(unit, [entry], rules);
  if (obstacles[0] !== undefined) throw obstacles[0].refusal;
  if (takesAdminAway) await requireActiveAdmin(unit.em);
}

/** The entry with this id, in the unit's transaction. Throws `not_found`. */
export async function findEntry(unit: Unit, id: number): Promise<Change> {
  await unit.begin();
  const [entry] = await entriesWhere(unit, 'id = $1', [id]);
  if (entry === undefined) throw refusals.notFound('history entry with this id');
  return entry;
}

/** An entry that cannot be undone, and why. */
export interface Obstacle {
  readonly entry: Change;
  /** One of `erased`, `changed_since`, `invalid_input`, `email_taken` and `account_in_use`. */
  readonly refusal: Refusal;
}

/** The outcome of {@link undoEntries}. */
export interface Undone {
  /** What was written, by the new entries' actions. */
  readonly count: Readonly<Record<Change['action'], number>>;
  readonly obstacles: readonly Obstacle[];
  /** Whether an active admin is no longer one. */
  readonly takesAdminAway: boolean;
}

/**
 * Undoes entries of different accounts with a few statements in the unit's transaction, in their order, and leaves those that
 * cannot be undone. Throws `forbidden`.
 */
export async function undoEntries(
  unit: Unit,
  entries: readonly Change[],
  rules: PreferenceRules,
): Promise<Undone> {
  const { em } = unit;
  const deletions = entries.filter(({ action }) => action === 'deleted').map(({ id }) => id);
  // Against other undos and erasures. An account that exists is itself the lock.
  const locked = byId(deletions.length === 0 ? [] : await entriesWhere(unit, LOCKED, [deletions]), 'id');
  const current = entries.map((entry) => locked.get(entry.id) ?? entry);
  const accounts = byId(
    await lockAccounts(
      unit,
      current.filter(({ action }) => action !== 'deleted').map(({ userId }) => userId),
    ),
    'id',
  );
  const last = await lastEntries(
    unit,
    current.filter(({ action }) => action === 'deleted'),
  );

  const obstacles: Obstacle[] = [];
  const planned: { entry: Change; write: AccountWrite }[] = [];
  for (const entry of current) {
    try {
      if (entry.erasedAt !== null) throw refusals.erased();
      const isLast = last.get(entry.userId) === entry.id;
      const write = inverse(entry, accounts.get(entry.userId), { isLast, rules });
      planned.push({ entry, write: { ...write, undoes: entry.id } });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      obstacles.push({ entry, refusal });
    }
  }
  const unavailable = await takenEmails(
    em,
    planned.map(({ write }) => write),
  );
  const isFree = ({ write }: (typeof planned)[number]) => !unavailable.has(newEmailOf(write) ?? '');
  const { taken, inUse, takesAdminAway } = await writeAccounts(
    unit,
    planned.filter(isFree).map(({ write }) => write),
    { leavesInUse: true },
  );
  const count = { created: 0, updated: 0, deleted: 0 };
  for (const plan of planned) {
    const { entry, write } = plan;
    const refusal =
      taken.has(entry.userId) || !isFree(plan) ? refusals.emailTaken() : inUse.get(entry.userId);
    if (refusal !== undefined) obstacles.push({ entry, refusal });
    else count[write.before === null ? 'created' : write.after === null ? 'deleted' : 'updated']++;
  }
  return { count, obstacles, takesAdminAway };
}

const LOCKED = 'id = any($1::bigint[]) order by id for update';

async function entriesWhere({ em }: Unit, condition: string, values: readonly unknown[]): Promise<Change[]> {
  const text = `select ${CHANGE_COLUMNS} from changes where ${condition}`;
  return (await runInTransaction<ChangeRow>(em, { text, values })).map((row) => changeOf(em, row));
}

// A statement of its own: one that waited for a lock does not see what was committed meanwhile.
const LAST = `
  select line.user_id as "userId", last.id
    from unnest($1::int[]) as line (user_id)
   cross join lateral (
     select id from changes where changes.user_id = line.user_id order by at desc, id desc limit 1
   ) as last`;

/** The last entries of the accounts of these entries, by the account. */
async function lastEntries({ em }: Unit, entries: readonly Change[]): Promise<ReadonlyMap<number, number>> {
  if (entries.length === 0) return new Map();
  const values = [entries.map(({ userId }) => userId)];
  const rows = await runInTransaction<{ userId: number; id: string }>(em, { text: LAST, values });
  return new Map(rows.map(({ userId, id }) => [userId, Number(id)]));
}

/** Those of the emails that updates would give which accounts have. */
async function takenEmails(em: EntityManager, writes: readonly AccountWrite[]): Promise<ReadonlySet<string>> {
  const emails = writes.map(newEmailOf).filter((email) => email !== undefined);
  if (emails.length === 0) return new Set();
  const text = 'select email from users where email = any($1::text[])';
  const rows = await runInTransaction<{ email: string }>(em, { text, values: [emails] });
  return new Set(rows.map(({ email }) => email));
}

/** The email that an update gives an account, if it is another one. */
function newEmailOf({ before, after }: AccountWrite): string | undefined {
  return before !== null && after !== null && before.email !== after.email ? after.email : undefined;
}

/** What undoes an entry. Throws `changed_since` and `invalid_input`. */
function inverse(
  entry: Change,
  account: AccountRow | undefined,
  { isLast, rules }: { isLast: boolean; rules: PreferenceRules },
): AccountWrite {
  if (entry.action === 'deleted') return restoration(entry, isLast);
  if (account === undefined) throw refusals.changedSince(Object.keys(entry.after ?? {}));
  return entry.action === 'created' ? removal(entry, account) : inversion(entry, account, rules);
}

function inversion(entry: Change, account: AccountRow, rules: PreferenceRules): AccountWrite {
  const moved = movedOn(entry, stateOf(account));
  if (moved.length > 0) throw refusals.changedSince(moved);
  const after = { ...account, ...changedValues(account, entry.before ?? {}, rules) };
  const change = changeBetween(account, after);
  // For example where the change only removed nulls from preferences that are older than the history.
  if (change === undefined) throw refusals.changedSince([]);
  return change;
}

function removal(entry: Change, account: AccountRow): AccountWrite {
  const made = entry.after as AccountState;
  const since = difference(made, stateOf(account));
  if (since !== undefined) throw refusals.changedSince(movedOn(since, made));
  return { before: account, after: null };
}

function restoration(entry: Change, isLast: boolean): AccountWrite {
  const before = entry.before as AccountState;
  const { createdAt = entry.at.toISOString(), ...fields } = before;
  if (!isLast) throw refusals.changedSince(Object.keys(fields));
  return {
    before: null,
    after: {
      userId: entry.userId,
      // Entries keep the form in which an email was stored at their time.
      state: { ...before, email: normalizeEmail(before.email) },
      version: entry.version + 1,
      createdAt,
      notBefore: new Date(entry.at.getTime() + 1).toISOString(),
    },
  };
}

function byId<Key extends string, Row extends Readonly<Record<Key, number>>>(
  rows: readonly Row[],
  key: Key,
): ReadonlyMap<number, Row> {
  return new Map(rows.map((row) => [row[key], row]));
}
