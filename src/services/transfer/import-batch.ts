import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, type AccountValues, creation, stateOf } from '../../domain/change.ts';
import { isAdmin, roleAfter } from '../../domain/user.ts';
import { accountColumns, accountSelection } from '../../store/account-columns.ts';
import {
  type AccountRow,
  changeBetween,
  linesSql,
  orDefault,
  recordsOf,
  stateColumns,
  writeAccounts,
} from '../../store/account-writes.ts';
import { recordChanges } from '../../store/change-log.ts';
import { dateOf } from '../../store/rows.ts';
import { runInTransaction } from '../../store/statements.ts';
import type { Unit } from '../../store/unit.ts';
import type { ImportMode } from './import.ts';

/** A valid line. `undefined` values were not given. */
export interface ImportLine {
  readonly number: number;
  /** Normalized. */
  readonly email: string;
  /** For a new account; ISO 8601, in UTC. */
  readonly createdAt: string | null | undefined;
  readonly values: { readonly [Field in keyof AccountValues]?: AccountValues[Field] | undefined };
}

/** The outcome of a line. */
export type Outcome = 'created' | 'updated' | 'unchanged';

/** The outcome of a batch. */
export interface BatchResult {
  readonly outcomes: readonly Outcome[];
  /** The lines whose email another account has. */
  readonly taken: readonly ImportLine[];
  /** Whether an active admin is no longer one. */
  readonly takesAdminAway: boolean;
}

/** How often the batch tries to get hold of accounts that others create and delete at the same time. */
const MAX_PASSES = 5;

/**
 * Writes lines by their emails with a few statements in the unit's transaction, past its identity map: a flush would take
 * several times as long and keep every account in memory. The history is written along. A line that changes nothing is only read.
 * Throws `forbidden`.
 */
export async function writeLines(
  unit: Unit,
  lines: ReadonlyMap<string, ImportLine>,
  mode: ImportMode,
): Promise<BatchResult> {
  const { em } = unit;
  const statements = statementsFor(em);
  const run = (text: string, value: unknown) => runInTransaction<AccountRow>(em, { text, values: [value] });

  const outcomes: Outcome[] = [];
  let takesAdminAway = false;
  let rest = [...lines.values()];
  for (let pass = 0; rest.length > 0 && pass < MAX_PASSES; pass++) {
    if (mode === 'upsert') {
      const found = byEmail(await run(statements.find, emailsOf(rest)));
      const asked = changesOf(rest, found);
      // Others may have written these meanwhile: what is locked counts.
      const locked =
        asked.length === 0
          ? found
          : byEmail(await run(statements.lock, emailsOf(asked.map(({ line }) => line))));
      const changes = changesOf(
        asked.map(({ line }) => line),
        locked,
      );
      const written = await writeAccounts(
        unit,
        changes.map(({ change }) => change),
      );
      takesAdminAway ||= written.takesAdminAway;

      const isAsked = new Set(asked.map(({ line }) => line));
      const isChanged = new Set(changes.map(({ line }) => line));
      const isSettled = (line: ImportLine) => (isAsked.has(line) ? locked : found).has(line.email);
      for (const line of rest.filter(isSettled)) outcomes.push(isChanged.has(line) ? 'updated' : 'unchanged');
      rest = rest.filter((line) => !isSettled(line));
    }
    const created = byEmail(
      rest.length === 0 ? [] : await run(statements.insert, statements.recordsOf(rest.map(valuesOf))),
    );
    for (const _ of created) outcomes.push('created');
    await recordChanges(
      unit,
      [...created.values()].map((row) => ({
        ...creation(createdState(em, row)),
        userId: row.id,
        version: row.version,
        ofAdmin: isAdmin(row),
      })),
    );
    rest = rest.filter(({ email }) => !created.has(email));
    if (mode === 'create') break;
  }
  return { outcomes, taken: rest, takesAdminAway };
}

/** The statements of an import. One parameter carries all emails or rows. */
function statementsFor(em: EntityManager) {
  const created = accountColumns(em).filter(({ property }) => property === 'createdAt');
  const state = stateColumns(em);
  const columns = [...state, ...created];
  const lines = linesSql(columns);
  const values = state.map(orDefault);
  // By the clock of the database, which may be slower than the one that made the file.
  const times = created.map(({ name, default: now }) => `least(line.${name}, ${now})`);
  const selection = accountSelection(em);
  return {
    // The constraint decides what is new.
    insert: `
      insert into users (${columns.map(({ name }) => name).join(', ')})
      select ${[...values, ...times].join(', ')} from ${lines}
      on conflict (email) do nothing
      returning ${selection}`,
    // `offset 0` forces one index look-up an email: what PostgreSQL assumes about a table that has just been filled is wrong.
    find: `
      select ${selection} from unnest($1::text[]) as line (email)
       cross join lateral (select * from users where users.email = line.email offset 0) as users`,
    lock: `select ${selection} from users where email = any($1::text[]) order by id for update`,
    recordsOf: (accounts: readonly Partial<AccountRow>[]) => recordsOf(columns, accounts),
  };
}

/** What a line gives, as an account. */
function valuesOf({ email, createdAt, values }: ImportLine): Partial<AccountRow> {
  return {
    email,
    ...(typeof createdAt === 'string' && { createdAt }),
    ...(givenIn(values) as Partial<AccountRow>),
    ...roleAfter({}, givenIn(values), new Date()),
  };
}

/** The values that a line gives. */
function givenIn(values: ImportLine['values']): AccountValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** What these lines would change in the accounts that have their emails. */
function changesOf(lines: readonly ImportLine[], accounts: ReadonlyMap<string, AccountRow>) {
  return lines.flatMap((line) => {
    const before = accounts.get(line.email);
    if (before === undefined) return [];
    const given = givenIn(line.values);
    const after = { ...before, ...given, ...roleAfter(before, given, new Date()) } as AccountRow;
    const change = changeBetween(before, after);
    return change === undefined ? [] : [{ line, change }];
  });
}

/** The state of a new account: with its age, where that is not the time of the import. */
function createdState(em: EntityManager, row: AccountRow): AccountState {
  if (row.createdAt === row.updatedAt) return stateOf(row);
  return { ...stateOf(row), createdAt: dateOf(em, row.createdAt).toISOString() };
}

function byEmail(rows: readonly AccountRow[]): Map<string, AccountRow> {
  return new Map(rows.map((row) => [row.email, row]));
}

function emailsOf(lines: readonly ImportLine[]): readonly string[] {
  return lines.map(({ email }) => email);
}
