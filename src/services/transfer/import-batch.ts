import type { EntityManager } from '@mikro-orm/postgresql';
import {
  type AccountState,
  type AccountValues,
  type ChangeDraft,
  creation,
  stateOf,
} from '../../domain/change.ts';
import { indexNames } from '../../domain/field-index.ts';
import { Refusal } from '../../domain/refusal.ts';
import { isAdmin, requireRoleChange, roleAfter } from '../../domain/user.ts';
import {
  type AccountColumn,
  accountColumns,
  accountSelection,
  isoTimeSql,
  type MetadataSource,
  readingOf,
} from '../../store/account-columns.ts';
import {
  type AccountRow,
  type AccountWrite,
  changeBetween,
  linesSql,
  orDefault,
  stateColumns,
  writeAccounts,
} from '../../store/account-writes.ts';
import { type RecordedRow, recordSql, rememberChanges, signChanges } from '../../store/change-log.ts';
import { runInTransaction } from '../../store/statements.ts';
import type { Unit } from '../../store/unit.ts';
import type { ImportMode } from './import.ts';
import type { ImportLine, WrongLine } from './line-check.ts';

/** The outcomes of a line that is written. */
export const OUTCOMES = ['created', 'updated', 'unchanged'] as const;
/** One of them. */
export type Outcome = (typeof OUTCOMES)[number];

/** The outcome of a batch. */
export interface BatchResult {
  /** How many lines have each outcome. */
  readonly counts: Readonly<Record<Outcome, number>>;
  /** The lines whose email another account has. */
  readonly taken: readonly ImportLine[];
  /** The lines whose account must not get such an end of its role. */
  readonly refused: readonly WrongLine[];
  /** Whether an active admin is no longer one. */
  readonly takesAdminAway: boolean;
}

/** How often the batch tries to get hold of accounts that others create and delete at the same time. */
const MAX_PASSES = 5;

/**
 * Writes lines by their emails with a few statements in the unit's transaction, past its identity map: a flush would take
 * several times as long and keep every account in memory. The history is written along. A line that changes nothing is only compared,
 * in the database.
 * Throws `forbidden` and `reason_required`.
 */
export async function writeLines(
  unit: Unit,
  lines: ReadonlyMap<string, ImportLine>,
  mode: ImportMode,
): Promise<BatchResult> {
  const counts: Record<Outcome, number> = { created: 0, updated: 0, unchanged: 0 };
  const refused: WrongLine[] = [];
  let takesAdminAway = false;
  let rest = [...lines.values()];
  for (let pass = 0; rest.length > 0 && pass < MAX_PASSES; pass++) {
    if (mode === 'upsert') {
      const result = await update(unit, rest);
      counts.updated += result.updated;
      counts.unchanged += rest.length - result.updated - result.refused.length - result.missing.length;
      takesAdminAway ||= result.takesAdminAway;
      refused.push(...result.refused);
      rest = result.missing;
    }
    const { allowed, refused: wrong } = withoutRefused(rest, NO_ROWS);
    refused.push(...wrong);
    const created = allowed.length === 0 ? new Set() : await create(unit, allowed);
    counts.created += created.size;
    rest = allowed.filter((line) => !created.has(line));
    if (mode === 'create') break;
  }
  return { counts, taken: rest, refused, takesAdminAway };
}

/** Lines, without those whose account must not get such an end of its role. New accounts are not among `accounts`. */
function withoutRefused(lines: readonly ImportLine[], accounts: ReadonlyMap<string, AccountRow>) {
  const allowed: ImportLine[] = [];
  const refused: WrongLine[] = [];
  const now = new Date();
  for (const line of lines) {
    try {
      requireRoleChange(accounts.get(line.email) ?? {}, line.values, now);
      allowed.push(line);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused.push({ number: line.number, faults: error.errors ?? [] });
    }
  }
  return { allowed, refused };
}

/** Changes the accounts that exist as their lines say. Returns the lines that have none. */
async function update(unit: Unit, lines: readonly ImportLine[]) {
  const { em } = unit;
  const different = await runInTransaction<{ ordinal: number; isKnown: boolean }>(em, compareSql(em, lines));
  const known = new Set(different.filter(({ isKnown }) => isKnown).map(({ ordinal }) => lines[ordinal]));
  const asked = lines.filter((line) => known.has(line));
  // Others may have written these meanwhile: what is locked counts.
  const locked = asked.length === 0 ? NO_ROWS : byEmail(await lock(em, asked));
  const { allowed, refused } = withoutRefused(
    asked.filter(({ email }) => locked.has(email)),
    locked,
  );
  const changes = allowed.flatMap((line) => changeOf(line, locked.get(line.email)) ?? []);
  const { takesAdminAway } = await writeAccounts(unit, changes);
  const missing = new Set(different.filter(({ isKnown }) => !isKnown).map(({ ordinal }) => lines[ordinal]));
  const isMissing = (line: ImportLine) => missing.has(line) || (known.has(line) && !locked.has(line.email));
  return { updated: changes.length, refused, missing: lines.filter(isMissing), takesAdminAway };
}

const NO_ROWS: ReadonlyMap<string, AccountRow> = new Map();

/** Creates accounts, with the beginnings of their histories. Returns the lines that got one: the email of any other is taken. */
async function create(unit: Unit, lines: readonly ImportLine[]): Promise<ReadonlySet<ImportLine>> {
  const { em, author, reason } = unit;
  const { actorId, actor, requestId } = author;
  const rows = await runInTransaction<CreatedRow>(em, {
    text: createSql(em, unit.remembers),
    values: [...creationsOf(em, lines), actorId, actor, requestId, reason],
  });
  const drafts = rows.map(({ ordinal, userId, version, after = null }): ChangeDraft => {
    const ofAdmin = isAdmin(givenIn((lines[ordinal] as ImportLine).values));
    return { action: 'created', before: null, after, fields: [], userId, version, ofAdmin };
  });
  signChanges(unit, drafts);
  rememberChanges(unit, drafts, rows, actor);
  return new Set(rows.flatMap(({ ordinal }) => lines[ordinal] ?? []));
}

interface CreatedRow extends RecordedRow {
  readonly ordinal: number;
  readonly userId: number;
  readonly version: number;
  readonly after?: AccountState;
}

/**
 * SQL that creates accounts and records their creations. The constraint decides what is new. Lines name the fields that they change by
 * the number of their shape: few files have more than one.
 */
function createSql(em: EntityManager, isRemembered: boolean): string {
  const state = stateColumns(em);
  const created = accountColumns(em).filter(({ property }) => property === 'createdAt');
  const columns = [...state, ...created];
  const author = { actorId: '$3', actor: '$4', requestId: '$5', undoes: 'null', reason: '$6' };
  return `
    with line as materialized (
      select * from ${linesSql([{ name: 'ordinal', type: 'int' }, { name: 'shape', type: 'int' }, ...columns])}
    ), added as (
      insert into users (${columns.map(({ name }) => name).join(', ')})
      select ${[
        ...state.map(orDefault),
        // By the clock of the database, which may be slower than the one that made the file.
        ...created.map(({ name, default: now }) => `least(line.${name}, ${now})`),
      ].join(', ')} from line
      on conflict (email) do nothing
      returning id, email, version, updated_at, ${stateSql(em)} as state
    ), draft as (
      select added.id as user_id, added.version, added.updated_at as at, false as erased, line.ordinal,
             'created' as action, null::jsonb as before, added.state as after, shape.names,
             case when state ? 'createdAt' then shape.fields || '{createdAt}' else shape.fields end as fields
        from added join line using (email)
        join jsonb_to_recordset($2::jsonb) as shape (shape int, fields text[], names text[]) using (shape)
    ), ${recordSql(author, { isLast: true })}
    select ordinal, draft.user_id as "userId", draft.version
           ${isRemembered ? ', draft.after, written.id, written.at, written.erased_at' : ''}
      from draft ${isRemembered ? 'join written using (user_id, version)' : ''}
     order by ordinal`;
}

/** The parameters of {@link createSql}: the lines, and the shapes of their changes. */
function creationsOf(em: EntityManager, lines: readonly ImportLine[]): [lines: string, shapes: string] {
  const columns = accountColumns(em);
  const shapes = new Map<string, { shape: number; fields: readonly string[]; names: readonly string[] }>();
  const records = lines.map((line, ordinal) => {
    const values = valuesOf(line);
    const { action, fields } = creation(stateOf(values as AccountRow));
    const key = fields.join('\n');
    let shape = shapes.get(key);
    if (shape === undefined) {
      shape = { shape: shapes.size, fields, names: indexNames({ action, fields }) };
      shapes.set(key, shape);
    }
    return { ordinal, shape: shape.shape, ...recordOf(columns, values) };
  });
  return [JSON.stringify(records), JSON.stringify([...shapes.values()])];
}

/** SQL for the state of an account as the history records its creation, see `stateOf`: with its age, where that is not the time of the import. */
function stateSql(source: MetadataSource): string {
  const field = (column: AccountColumn, sql = readingOf(column)) => `'${column.property}', ${sql}`;
  const columns = stateColumns(source, 'createdAt');
  const always = columns
    .filter(({ property }) => property !== 'roleUntil' && property !== 'createdAt')
    .map((column) =>
      field(column, column.property === 'preferences' ? `coalesce(users.preferences, '{}')` : undefined),
    );
  const sometimes = columns.flatMap((column) => {
    if (column.property === 'roleUntil') return field(column);
    if (column.property !== 'createdAt') return [];
    return field(
      column,
      `case when users.created_at <> users.updated_at then ${isoTimeSql('users.created_at')} end`,
    );
  });
  return `jsonb_build_object(${always.join(', ')}) || jsonb_strip_nulls(jsonb_build_object(${sometimes.join(', ')}))`;
}

/**
 * The statement that finds the lines whose account would change, or does not exist. It may name a line that would change nothing: where
 * the clock decides, as about the end of a role, it does not.
 */
function compareSql(em: EntityManager, lines: readonly ImportLine[]) {
  const columns = stateColumns(em).filter(({ property }) => property !== 'email');
  const differences = columns.map(({ property, name }, bit) => {
    if (property === 'roleUntil') return `line.${name} is not null or users.${name} is not null`;
    const current = property === 'preferences' ? `coalesce(users.${name}, '{}')` : `users.${name}`;
    return `line.given & ${1 << bit} <> 0 and ${current} is distinct from line.${name}`;
  });
  const email = accountColumns(em).filter(({ property }) => property === 'email');
  const records = lines.map(({ email: address, values }, ordinal) => {
    let given = 0;
    for (const [bit, { property }] of columns.entries()) {
      if (values[property as keyof AccountValues] !== undefined) given |= 1 << bit;
    }
    return { ordinal, given, email: address, ...recordOf(columns, values as Partial<AccountRow>) };
  });
  return {
    // `offset 0` forces one index look-up an email: what PostgreSQL assumes about a table that has just been filled is wrong.
    text: `
      select line.ordinal, users.id is not null as "isKnown"
        from ${linesSql([{ name: 'ordinal', type: 'int' }, { name: 'given', type: 'int' }, ...email, ...columns])}
        left join lateral (select * from users where users.email = line.email offset 0) as users on true
       where users.id is null or ${differences.join(' or ')}
       order by line.ordinal`,
    values: [JSON.stringify(records)],
  };
}

function lock(em: EntityManager, lines: readonly ImportLine[]): Promise<AccountRow[]> {
  return runInTransaction<AccountRow>(em, {
    text: `select ${accountSelection(em)} from users where email = any($1::text[]) order by id for update`,
    values: [lines.map(({ email }) => email)],
  });
}

/** The values of these columns, as `linesSql` reads them. Those that are not given are left out. */
function recordOf(columns: readonly AccountColumn[], values: Partial<AccountRow>): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const { property, name } of columns) record[name] = values[property];
  return record;
}

/** What a line gives, as an account. */
function valuesOf({ email, createdAt, values }: ImportLine): Partial<AccountRow> {
  const given = givenIn(values);
  return {
    ...(given as Partial<AccountRow>),
    ...roleAfter({}, given, new Date()),
    email,
    ...(typeof createdAt === 'string' && { createdAt }),
  };
}

/** The values that a line gives. */
function givenIn(values: ImportLine['values']): AccountValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** What a line would change in the account that has its email. */
function changeOf(line: ImportLine, before: AccountRow | undefined): AccountWrite | undefined {
  if (before === undefined) return undefined;
  const given = givenIn(line.values);
  return changeBetween(before, {
    ...before,
    ...given,
    ...roleAfter(before, given, new Date()),
  } as AccountRow);
}

function byEmail(rows: readonly AccountRow[]): ReadonlyMap<string, AccountRow> {
  return new Map(rows.map((row) => [row.email, row]));
}
