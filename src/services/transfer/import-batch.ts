import type { EntityManager } from '@mikro-orm/postgresql';
import {
  type AccountState,
  type AccountValues,
  type ChangeDraft,
  creation,
  difference,
  STATE_FIELDS,
  stateOf,
} from '../../domain/change.ts';
import { type Account, isActiveAdmin, isAdmin } from '../../domain/user.ts';
import { accountColumns, accountSelection } from '../../store/account-columns.ts';
import { recordChanges } from '../../store/change-log.ts';
import { dateOf, type RowOf } from '../../store/rows.ts';
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

/** A row that a statement has written or locked. */
type Row = RowOf<Account, 'createdAt' | 'updatedAt'>;

/**
 * Writes lines by their emails with a few statements in the unit's transaction, past its identity map: a flush would take
 * several times as long and keep every account in memory. The history is written along. Throws `forbidden`.
 */
export async function writeAccounts(
  unit: Unit,
  lines: ReadonlyMap<string, ImportLine>,
  mode: ImportMode,
): Promise<BatchResult> {
  const { em } = unit;
  const statements = statementsFor(em);
  /** The rows that a statement has written for these lines, by email. */
  const run = async (statement: string, batch: readonly ImportLine[], ...more: string[]) =>
    batch.length === 0
      ? new Map<string, Row>()
      : byEmail(await em.execute<Row[]>(statement, [statements.recordsOf(batch), ...more]));

  const outcomes: Outcome[] = [];
  let takesAdminAway = false;
  let rest = [...lines.values()];
  for (let pass = 0; rest.length > 0 && pass < MAX_PASSES; pass++) {
    if (mode === 'upsert') {
      const found = byEmail(await em.execute<Row[]>(statements.lock, [emailsOf(rest)]));
      const known = rest.filter(({ email }) => found.has(email));
      const updated = await run(statements.update, known, emailsOf(known));
      for (const { email } of known) outcomes.push(updated.has(email) ? 'updated' : 'unchanged');
      const changed = [...updated.values()].map((after) => ({
        before: found.get(after.email) as Row,
        after,
      }));
      takesAdminAway ||= changed.some(({ before, after }) => isActiveAdmin(before) && !isActiveAdmin(after));
      await recordChanges(unit, changed.map(update));
      rest = rest.filter(({ email }) => !found.has(email));
    }
    const created = await run(statements.insert, rest);
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

/** The statements of an import. One parameter carries all lines as a table; `given` names the columns that a line gives. */
function statementsFor(em: EntityManager) {
  const columns = accountColumns(em).filter(({ property }) =>
    STATE_FIELDS.some((field) => field === property),
  );
  const created = accountColumns(em).filter(({ property }) => property === 'createdAt');
  const changeable = columns.filter(({ property }) => property !== 'email');
  const lines = `jsonb_to_recordset(?::jsonb) as line
    (given text[], ${[...columns, ...created].map(({ name, type }) => `${name} ${type}`).join(', ')})`;
  const isGiven = (name: string) => `'${name}' = any(line.given)`;
  // No preferences say the same as empty ones.
  const stored = ({ name, type }: (typeof columns)[number]) =>
    type === 'jsonb' ? `coalesce(users.${name}, '{}')` : `users.${name}`;
  const values = columns.map(({ name, default: value }) =>
    value === undefined ? `line.${name}` : `coalesce(line.${name}, ${value})`,
  );
  // By the clock of the database, which may be slower than the one that made the file.
  const times = created.map(({ name, default: now }) => `least(line.${name}, ${now})`);
  const assignments = changeable.map(
    ({ name }) => `${name} = case when ${isGiven(name)} then line.${name} else users.${name} end`,
  );
  const differences = changeable.map(
    (column) => `(${isGiven(column.name)} and line.${column.name} is distinct from ${stored(column)})`,
  );
  const selection = accountSelection(em);
  return {
    // The constraint decides what is new.
    insert: `
      insert into users (${[...columns, ...created].map(({ name }) => name).join(', ')})
      select ${[...values, ...times].join(', ')} from ${lines}
      on conflict (email) do nothing
      returning ${selection}`,
    // By a constant list of emails, here and in `update`: whatever the planner assumes about a table that has just been
    // filled, it looks each of them up or, at worst, scans the table once.
    lock: `
      select ${selection} from users
       where email = any(?::text[])
       order by id for update`,
    // As a flush of the entity does it: a new version and a new time, and neither where nothing has changed.
    update: `
      update users set
        ${assignments.join(', ')},
        version = users.version + 1,
        updated_at = greatest(clock_timestamp(), users.updated_at + interval '1 millisecond')
      from ${lines}
      where users.email = any(?::text[]) and users.email = line.email and (${differences.join(' or ')})
      returning ${selection}`,
    recordsOf: (batch: readonly ImportLine[]) =>
      JSON.stringify(
        batch.map(({ email, createdAt, values }) => {
          const given = changeable.filter(
            ({ property }) => values[property as keyof AccountValues] !== undefined,
          );
          const record = given.map(({ property, name }) => [name, values[property as keyof AccountValues]]);
          const times = created.map(({ name }) => [name, createdAt]);
          return {
            ...Object.fromEntries([...record, ...times]),
            email,
            given: given.map(({ name }) => name),
          };
        }),
      ),
  };
}

/** The state of a new account: with its age, where that is not the time of the import. */
function createdState(em: EntityManager, row: Row): AccountState {
  if (row.createdAt === row.updatedAt) return stateOf(row);
  return { ...stateOf(row), createdAt: dateOf(em, row.createdAt).toISOString() };
}

function byEmail(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.email, row]));
}

function update({ before, after }: { before: Row; after: Row }): ChangeDraft {
  const found = difference(stateOf(before), stateOf(after));
  if (found === undefined) throw new Error('An import changed something that the history does not record.');
  const ofAdmin = isAdmin(before) || isAdmin(after);
  return { ...found, userId: after.id, version: after.version, ofAdmin };
}

/** Emails as PostgreSQL writes an array: an email has neither quotes nor backslashes that need escaping. */
function emailsOf(lines: readonly ImportLine[]): string {
  return `{${lines.map(({ email }) => `"${email}"`).join()}}`;
}
