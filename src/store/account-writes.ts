import { OptimisticLockError } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { toRefusal } from '../database/driver-errors.ts';
import {
  type AccountState,
  type ChangeDraft,
  creation,
  type Difference,
  deletion,
  difference,
  STATE_FIELDS,
  stateOf,
} from '../domain/change.ts';
import { Refusal } from '../domain/refusal.ts';
import { refusals } from '../domain/refusals.ts';
import { type Account, isActiveAdmin, isAdmin } from '../domain/user.ts';
import {
  type AccountColumn,
  accountColumns,
  accountSelection,
  type MetadataSource,
} from './account-columns.ts';
import { findInUse, findReferenced, type RefusableWrite } from './accounts-in-use.ts';
import { recordAndErase } from './change-log.ts';
import { requireSession } from './right-check.ts';
import { isoTimeOf, type RowOf } from './rows.ts';
import { runApart, runInTransaction } from './statements.ts';
import type { Unit } from './unit.ts';

/** An account that a statement has read or written. */
export type AccountRow = RowOf<Omit<Account, 'lastSeenAt'>, 'createdAt' | 'updatedAt'>;

/** Some columns of an account, for a statement that reads them from JSON. */
type Columns = Pick<AccountColumn, 'property' | 'name' | 'type'>;

/** An account that is deleted, to be created again with its id. */
export interface Restoration {
  readonly userId: number;
  readonly state: AccountState;
  /** The version that it gets. */
  readonly version: number;
  /** ISO 8601; so is `notBefore`, which the time of its creation in the history is not before. */
  readonly createdAt: string;
  readonly notBefore: string;
}

/** The change of one account: `before` is the row as it is, locked. */
export type AccountWrite = { readonly undoes?: number } & (
  | { readonly before: AccountRow; readonly after: AccountRow; readonly difference: Difference }
  | { readonly before: AccountRow; readonly after: null }
  | { readonly before: null; readonly after: Restoration }
);

/** The outcome of {@link writeAccounts}. */
export interface Written {
  /** The ids of accounts that could not be restored: another one has their email. */
  readonly taken: ReadonlySet<number>;
  /** The refusals of accounts that stay as they were, by their ids: tables of the app point at them. */
  readonly inUse: ReadonlyMap<number, Refusal>;
  /** Whether an active admin is no longer one. */
  readonly takesAdminAway: boolean;
}

/** The columns that the history records, and those that a statement needs beside them. */
export function stateColumns(
  source: MetadataSource,
  ...others: readonly (keyof Account)[]
): readonly AccountColumn[] {
  return accountColumns(source).filter(
    ({ property }) => STATE_FIELDS.some((field) => field === property) || others.includes(property),
  );
}

/** SQL that reads such columns from the parameter of a statement, JSON as {@link recordsOf} makes it, as the table `line`. */
export function linesSql(columns: readonly Pick<Columns, 'name' | 'type'>[]): string {
  return `jsonb_to_recordset($1::jsonb) as line (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`;
}

/** Rows as the parameter of such a statement. */
function recordsOf(columns: readonly Columns[], rows: readonly Partial<AccountRow>[]): string {
  return JSON.stringify(
    rows.map((row) => Object.fromEntries(columns.map(({ property, name }) => [name, row[property]]))),
  );
}

/** The value of a column of `line`, or its default. */
export function orDefault({ name, default: value }: AccountColumn): string {
  return value === undefined ? `line.${name}` : `coalesce(line.${name}, ${value})`;
}

/** The accounts with these ids, locked until the unit's transaction ends. */
export function lockAccounts({ em }: Unit, ids: readonly number[]): Promise<AccountRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return runInTransaction(em, {
    text: `select ${accountSelection(em)} from users where id = any($1::int[]) order by id for update`,
    values: [ids],
  });
}

/** The change of an account from one row to another; `undefined` where the history would not record it. */
export function changeBetween(
  before: AccountRow,
  after: AccountRow,
): (AccountWrite & { before: AccountRow }) | undefined {
  const found = difference(stateOf(before), stateOf(after));
  return found && { before, after, difference: found };
}

/**
 * Writes changes of different accounts with a few statements in the unit's transaction, past its identity map: a flush would take
 * several times as long and keep every account in memory. The history is written along, in the order of the changes. Each account
 * must be locked, or known to be deleted. With `leavesInUse`, accounts that tables of the app point at are left, and refuse nothing.
 *
 * Throws `forbidden`, `reason_required`, `unauthenticated`, `OptimisticLockError` where an update gives an email that another account
 * has, and what the statements throw.
 */
export async function writeAccounts(
  unit: Unit,
  writes: readonly AccountWrite[],
  { leavesInUse = false } = {},
): Promise<Written> {
  const { em, right } = unit;
  // Before they are written: with the account, its sessions end, and afterwards nobody could check them.
  const isOwn = ({ before }: AccountWrite) =>
    right !== null && 'accountId' in right && before?.id === right.accountId;
  if (writes.some(isOwn)) await requireSession(unit, 'for key share');
  const write = leavesInUse ? writeThosePossible : writeRows;
  const { restored, inUse } = await write(em, writes).catch((error: unknown) => {
    // Whoever asked before found the email free: repeated, the unit finds it taken.
    if (isRefusal(error, refusals.emailTaken))
      throw new OptimisticLockError('An account has taken the email.');
    throw error;
  });
  const taken = new Set<number>();
  const drafts: ChangeDraft[] = [];
  let takesAdminAway = false;
  for (const write of writes) {
    if (inUse.has(accountOf(write))) continue;
    if (write.before === null && !restored.has(write.after.userId)) taken.add(write.after.userId);
    else drafts.push(draftOf(em, write));
    takesAdminAway ||=
      write.before !== null && isActiveAdmin(write.before) && !isActiveAdmin(write.after ?? {});
  }
  await recordAndErase(unit, drafts);
  return { taken, inUse, takesAdminAway };
}

function accountOf({ before, after }: AccountWrite): number {
  return before === null ? after.userId : before.id;
}

/** Whether an error stands for a refusal of this kind. */
function isRefusal(error: unknown, { code }: Pick<Refusal, 'code'>): boolean {
  const refusal = toRefusal(error);
  return refusal instanceof Refusal && refusal.code === code;
}

/** The outcome of {@link writeRows}: the ids of accounts that were restored, and {@link Written.inUse}. */
interface WrittenRows extends Pick<Written, 'inUse'> {
  readonly restored: ReadonlySet<number>;
}

/** Writes the accounts that no table of the app points at. Where there are no others, it costs a savepoint. */
async function writeThosePossible(em: EntityManager, writes: readonly AccountWrite[]): Promise<WrittenRows> {
  if (writes.length === 0) return NO_ROWS;
  try {
    return await runApart(em, () => writeRows(em, writes));
  } catch (error) {
    if (!isRefusal(error, refusals.accountInUse)) throw error;
  }
  const referenced = await findReferenced(em);
  const columns = stateColumns(em).filter(({ name }) => referenced.has(name));
  const inUse = await findInUse(
    em,
    columns.map(({ name }) => name),
    writes.flatMap((write) => refusable(columns, write)),
  );
  const written = await runApart(em, () =>
    writeRows(
      em,
      writes.filter((write) => !inUse.has(accountOf(write))),
    ),
  );
  return { ...written, inUse };
}

function refusable(columns: readonly Columns[], { before, after }: AccountWrite): RefusableWrite[] {
  if (before === null) return [];
  if (after === null) return [{ id: before.id, values: null }];
  if (columns.every(({ property }) => before[property] === after[property])) return [];
  return [
    {
      id: after.id,
      values: Object.fromEntries(columns.map(({ property, name }) => [name, after[property]])),
    },
  ];
}

const NO_ROWS: WrittenRows = { restored: new Set(), inUse: new Map() };

async function writeRows(em: EntityManager, writes: readonly AccountWrite[]): Promise<WrittenRows> {
  const updated: AccountRow[] = [];
  const deleted: number[] = [];
  const restored: Restoration[] = [];
  for (const { before, after } of writes) {
    if (before === null) restored.push(after);
    else if (after === null) deleted.push(before.id);
    else updated.push(after);
  }
  const run = <Row>(text: string, value: unknown) => runInTransaction<Row>(em, { text, values: [value] });
  if (deleted.length > 0) await run('delete from users where id = any($1::int[])', deleted);
  if (updated.length > 0) {
    const state = stateColumns(em);
    const columns = stateColumns(em, 'id');
    // As a flush of the entity does it: a new version and a new time. The rows are locked.
    await run(
      `update users set
         ${state.map(({ name }) => `${name} = line.${name}`).join(', ')},
         version = users.version + 1,
         updated_at = greatest(clock_timestamp(), users.updated_at + interval '1 millisecond')
       from ${linesSql(columns)}
       where users.id = line.id`,
      recordsOf(columns, updated),
    );
  }
  if (restored.length === 0) return NO_ROWS;
  const columns = stateColumns(em, 'id', 'version', 'createdAt', 'updatedAt');
  const values = columns.map((column) =>
    // Later than the deletion by any clock: the history is ordered by it.
    column.property === 'updatedAt' ? `greatest(clock_timestamp(), line.${column.name})` : orDefault(column),
  );
  const rows = await run<{ id: number }>(
    // The constraint decides whether the email is still free.
    `insert into users (${columns.map(({ name }) => name).join(', ')})
     select ${values.join(', ')} from ${linesSql(columns)}
     on conflict do nothing
     returning id`,
    recordsOf(
      columns,
      restored.map(({ userId: id, state, version, createdAt, notBefore }) => {
        const { createdAt: _, ...fields } = state;
        return { ...(fields as Partial<AccountRow>), id, version, createdAt, updatedAt: notBefore };
      }),
    ),
  );
  return { ...NO_ROWS, restored: new Set(rows.map(({ id }) => id)) };
}

function draftOf(em: EntityManager, write: AccountWrite): ChangeDraft {
  const { before, after, undoes } = write;
  const undo = undoes === undefined ? {} : { undoes };
  if (before === null) {
    const { userId, version, state } = after;
    return { ...creation(state), ...undo, userId, version, ofAdmin: isAdmin(state) };
  }
  const version = before.version + 1;
  const userId = before.id;
  if (after === null) {
    const state = { ...stateOf(before), createdAt: isoTimeOf(em, before.createdAt) };
    return { ...deletion(state), ...undo, userId, version, ofAdmin: isAdmin(before) };
  }
  return { ...write.difference, ...undo, userId, version, ofAdmin: isAdmin(before) || isAdmin(after) };
}
