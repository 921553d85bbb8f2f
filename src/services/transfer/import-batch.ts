import type { EntityManager } from '@mikro-orm/postgresql';
import { type ChangeDraft, creation, difference, stateOf } from '../../domain/change.ts';
import type { Preferences } from '../../domain/preferences.ts';
import type { Account, Role, Status, StorageMode } from '../../domain/user.ts';
import { recordChanges } from '../../store/change-log.ts';
import type { ImportMode } from './import.ts';

/** What a good line says. What is `undefined` was not given. */
export interface ImportLine {
  readonly number: number;
  /** Normalised. */
  readonly email: string;
  readonly name?: string | null | undefined;
  readonly role?: Role | undefined;
  readonly status?: Status | undefined;
  readonly storageMode?: StorageMode | undefined;
  readonly preferences?: Preferences | undefined;
}

/** What became of a line. */
export type Outcome = 'created' | 'updated' | 'unchanged';

/** What became of a batch. */
export interface BatchResult {
  readonly outcomes: readonly Outcome[];
  /** The lines whose email somebody else has. */
  readonly taken: readonly ImportLine[];
  /** Whether an active admin is none any more. */
  readonly takesAdminAway: boolean;
}

/** How often it is tried to get hold of accounts that others make and remove in the same moment. */
const MAX_PASSES = 5;

/** One parameter for all lines, as a table. `named` tells a name of null from a name that is not given. */
const LINES = `jsonb_to_recordset(?::jsonb) as line
  (email text, name text, named boolean, role text, status text, storage_mode text, preferences jsonb)`;

/** A row, as far as the history wants to know it. */
type Row = Pick<
  Account,
  'id' | 'email' | 'name' | 'role' | 'status' | 'preferences' | 'storageMode' | 'version'
>;

const COLUMNS = [
  'id',
  'email',
  'name',
  'role',
  'status',
  'preferences',
  'storage_mode as "storageMode"',
  'version',
]
  .map((column) => `users.${column}`)
  .join();

// What is not given is as the entity and the columns have it for a new account. The constraint decides what is new.
const INSERT = `
  insert into users (email, name, role, status, storage_mode, preferences)
  select email, name, coalesce(role, 'user'), coalesce(status, 'active'), coalesce(storage_mode, 'local'), preferences
    from ${LINES}
  on conflict (email) do nothing
  returning ${COLUMNS}`;

// By a constant list of emails, here and below: whatever the planner believes of a table that has just been filled, it
// looks each of them up or, at the worst, goes over the table once.
const LOCK = `
  select ${COLUMNS} from users
   where email = any(?::text[])
   order by id for update`;

// As a flush of the entity does it: a new version and a new time, and neither where nothing has changed.
const UPDATE = `
  update users set
    name = case when line.named then line.name else users.name end,
    role = coalesce(line.role, users.role),
    status = coalesce(line.status, users.status),
    storage_mode = coalesce(line.storage_mode, users.storage_mode),
    preferences = coalesce(line.preferences, users.preferences),
    version = users.version + 1,
    updated_at = greatest(clock_timestamp(), users.updated_at + interval '1 millisecond')
  from ${LINES}
  where users.email = any(?::text[]) and users.email = line.email and (
    (line.named and line.name is distinct from users.name)
    or line.role <> users.role
    or line.status <> users.status
    or line.storage_mode <> users.storage_mode
    or line.preferences <> coalesce(users.preferences, '{}'))
  returning ${COLUMNS}`;

/**
 * Writes lines, by their emails, with a few statements in the transaction of `em`, past its identity map: a flush would
 * take several times as long and keep every account in memory. The history of it is written along. Throws `forbidden`.
 */
export async function writeAccounts(
  em: EntityManager,
  lines: ReadonlyMap<string, ImportLine>,
  mode: ImportMode,
): Promise<BatchResult> {
  const outcomes: Outcome[] = [];
  let takesAdminAway = false;
  let rest = [...lines.values()];
  for (let pass = 0; rest.length > 0 && pass < MAX_PASSES; pass++) {
    if (mode === 'upsert') {
      const found = byEmail(await em.execute<Row[]>(LOCK, [listOf(rest)]));
      const known = rest.filter(({ email }) => found.has(email));
      const updated = await run(em, UPDATE, known, listOf(known));
      for (const { email } of known) outcomes.push(updated.has(email) ? 'updated' : 'unchanged');
      takesAdminAway ||= known.some(({ email }) => {
        const after = updated.get(email);
        return after !== undefined && isActiveAdmin(found.get(email)) && !isActiveAdmin(after);
      });
      await recordChanges(
        em,
        [...updated.values()].map((row) => update(found.get(row.email) as Row, row)),
      );
      rest = rest.filter(({ email }) => !found.has(email));
    }
    const created = await run(em, INSERT, rest);
    for (const _ of created) outcomes.push('created');
    await recordChanges(
      em,
      [...created.values()].map((row) => ({
        ...creation(stateOf(row)),
        userId: row.id,
        version: row.version,
        ofAdmin: row.role === 'admin',
      })),
    );
    rest = rest.filter(({ email }) => !created.has(email));
    if (mode === 'create') break;
  }
  return { outcomes, taken: rest, takesAdminAway };
}

/** The rows that the statement has written for the lines, by email. */
async function run(
  em: EntityManager,
  statement: string,
  lines: readonly ImportLine[],
  ...more: string[]
): Promise<Map<string, Row>> {
  if (lines.length === 0) return new Map();
  return byEmail(await em.execute<Row[]>(statement, [recordsOf(lines), ...more]));
}

function byEmail(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.email, row]));
}

function isActiveAdmin(row: Row | undefined): boolean {
  return row?.role === 'admin' && row.status === 'active';
}

function update(before: Row, after: Row): ChangeDraft {
  const found = difference(stateOf(before), stateOf(after));
  if (found === undefined) throw new Error('An import has changed what its history knows nothing of.');
  const ofAdmin = before.role === 'admin' || after.role === 'admin';
  return { ...found, userId: after.id, version: after.version, ofAdmin };
}

/** Their emails as PostgreSQL writes an array; an email has neither quotes nor backslashes that would have to be escaped. */
function listOf(lines: readonly ImportLine[]): string {
  return `{${lines.map(({ email }) => `"${email}"`).join()}}`;
}

function recordsOf(lines: readonly ImportLine[]): string {
  return JSON.stringify(
    lines.map(({ number, storageMode, ...line }) => ({
      ...line,
      named: line.name !== undefined,
      storage_mode: storageMode,
    })),
  );
}
