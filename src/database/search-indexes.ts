import type { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { quoteIdentifier } from './quote-identifier.ts';
import { ensureTrigrams, operatorsOf, planTrigrams, type Trigrams } from './trigrams.ts';

type Connection = ReturnType<PostgreSqlDriver['getConnection']>;

/** The indexes of the search, by name, for the operators of pg_trgm. */
const INDEXES: Readonly<Record<string, (operators: string) => string>> = {
  users_email_trigram_index: (operators) => `using gin (email ${operators})`,
  users_name_search_index: (operators) => `using gin (rollcall_fold(name) ${operators})`,
};

/** The names of the indexes of the search. */
export const SEARCH_INDEXES: readonly string[] = Object.keys(INDEXES);

/** The reason why the search has no indexes, and the statement that changes it. */
export interface SearchGap {
  readonly reason: string;
  readonly statement: string;
}

/**
 * Builds the indexes of the search that are missing or were left half built, while others write. Returns the reason where it
 * cannot: the search works without them. Call it under the boot lock, in whose transaction nothing is written yet.
 */
export async function repairSearchIndexes(connection: Connection): Promise<SearchGap | undefined> {
  const trigrams = await ensureTrigrams(connection);
  const found = await surveyIndexes(connection);
  const gap = gapOf(trigrams, found);
  if (gap !== undefined) return gap;
  const statements = repairsOf(trigrams as Trigrams, found);
  if (statements.length === 0) return undefined;
  const client = await (await connection.getNativeClient()).connect();
  try {
    await client.query('set statement_timeout = 0');
    for (const statement of statements) await client.query(statement);
    await client.query('reset statement_timeout');
    client.release();
  } catch (error) {
    // With its setting, or broken.
    client.release(true);
    throw error;
  }
  return undefined;
}

/** What {@link repairSearchIndexes} would do. */
export interface SearchPlan {
  /** The indexes that it would build, by name. */
  readonly missing: readonly string[];
  /** Why it could not build what is missing. */
  readonly gap: SearchGap | undefined;
}

/** Plans the repair of the indexes of the search. Writes nothing. */
export async function planSearchIndexes(connection: Connection): Promise<SearchPlan> {
  const found = await surveyIndexes(connection);
  const trigrams = await planTrigrams(connection);
  const gap = trigrams && gapOf(trigrams, found);
  const missing = SEARCH_INDEXES.filter((name) => !found.valid.includes(name));
  return { missing: gap === undefined ? missing : [], gap };
}

/** Why the indexes of the search cannot be built, if something is in the way. */
function gapOf(trigrams: Trigrams | Error, found: Indexes): SearchGap | undefined {
  if (trigrams instanceof Error) {
    return {
      reason: trigrams.message,
      statement: 'create extension pg_trgm; -- as a superuser, in this database, then restart',
    };
  }
  const { role, owner } = found;
  if (!trigrams.isOpen) {
    const schema = quoteIdentifier(trigrams.schema);
    return {
      reason: `${role} may not use the schema ${trigrams.schema}, which has pg_trgm`,
      statement: `grant usage on schema ${schema} to ${quoteIdentifier(role)}; -- as its owner, then restart`,
    };
  }
  const statements = repairsOf(trigrams, found);
  if (owner === null || statements.length === 0) return undefined;
  return {
    reason: `indexes are missing, and the table users belongs to ${owner}`,
    statement: `${statements.join('; ')}; -- as ${owner}, one by one`,
  };
}

/** The statements that build the indexes which are missing. */
function repairsOf(trigrams: Trigrams, { valid }: Indexes): string[] {
  // A build that was killed leaves an index that is kept up to date and never used.
  return Object.entries(INDEXES)
    .filter(([name]) => !valid.includes(name))
    .flatMap(([name, definition]) => [
      `drop index concurrently if exists "${name}"`,
      `create index concurrently "${name}" on "users" ${definition(operatorsOf(trigrams))}`,
    ]);
}

interface Indexes {
  readonly role: string;
  /** The owner of the table, unless the role has the owner's rights. */
  readonly owner: string | null;
  /** The names of the indexes that work. */
  readonly valid: readonly string[];
}

/** The table of accounts, as a row of {@link Indexes}. */
export const SEARCHED = `
  select current_user::text as role,
         (select rolname::text from pg_roles where oid = relowner and not pg_has_role(oid, 'usage')) as owner,
         (select coalesce(jsonb_agg(relname), '[]') from pg_index join pg_class on pg_class.oid = indexrelid
           where indrelid = accounts.oid and indisvalid) as valid
    from pg_class as accounts where oid = to_regclass('users')`;

async function surveyIndexes(connection: Connection): Promise<Indexes> {
  const [row] = await connection.execute<Indexes[]>(SEARCHED);
  return row as Indexes;
}
