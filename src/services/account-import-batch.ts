import type { EntityManager } from '@mikro-orm/postgresql';
import type { Preferences } from '../domain/preferences.ts';
import type { Role, Status, StorageMode } from '../domain/user.ts';
import type { ImportMode } from './account-import.ts';

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

// What is not given is as the entity and the columns have it for a new account. The constraint decides what is new.
const INSERT = `
  insert into users (email, name, role, status, storage_mode, preferences)
  select email, name, coalesce(role, 'user'), coalesce(status, 'active'), coalesce(storage_mode, 'local'), preferences
    from ${LINES}
  on conflict (email) do nothing
  returning email`;

// By a constant list of emails, here and below: whatever the planner believes of a table that has just been filled, it
// looks each of them up or, at the worst, goes over the table once.
const LOCK = `
  select email, role = 'admin' and status = 'active' as admin from users
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
    updated_at = clock_timestamp()
  from ${LINES}
  where users.email = any(?::text[]) and users.email = line.email and (
    (line.named and line.name is distinct from users.name)
    or line.role <> users.role
    or line.status <> users.status
    or line.storage_mode <> users.storage_mode
    or line.preferences <> coalesce(users.preferences, '{}'))
  returning users.email`;

/**
 * Writes lines, by their emails, with a few statements in the transaction of `em`, past its identity map: a flush would
 * take several times as long and keep every account in memory.
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
      const found = new Map(
        (await em.execute<{ email: string; admin: boolean }[]>(LOCK, [listOf(rest)])).map((row) => [
          row.email,
          row.admin,
        ]),
      );
      const known = rest.filter(({ email }) => found.has(email));
      const updated = await run(em, UPDATE, known, listOf(known));
      for (const { email } of known) outcomes.push(updated.has(email) ? 'updated' : 'unchanged');
      takesAdminAway ||= known.some(
        ({ email, role = 'admin', status = 'active' }) =>
          found.get(email) && !(role === 'admin' && status === 'active'),
      );
      rest = rest.filter(({ email }) => !found.has(email));
    }
    const created = await run(em, INSERT, rest);
    for (const _ of created) outcomes.push('created');
    rest = rest.filter(({ email }) => !created.has(email));
    if (mode === 'create') break;
  }
  return { outcomes, taken: rest, takesAdminAway };
}

/** The emails of the lines for which the statement has done something. */
async function run(
  em: EntityManager,
  statement: string,
  lines: readonly ImportLine[],
  ...more: string[]
): Promise<Set<string>> {
  if (lines.length === 0) return new Set();
  const rows = await em.execute<{ email: string }[]>(statement, [recordsOf(lines), ...more]);
  return new Set(rows.map(({ email }) => email));
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
