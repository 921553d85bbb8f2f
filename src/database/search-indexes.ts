import type { EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { quoteIdentifier } from './quote-identifier.ts';
import { ensureTrigrams, operatorsOf } from './trigrams.ts';

type Connection = ReturnType<PostgreSqlDriver['getConnection']>;

/** The indexes of the search, by name, for the operators of pg_trgm. */
const INDEXES: Readonly<Record<string, (operators: string) => string>> = {
  users_email_trigram_index: (operators) => `using gin (email ${operators})`,
  users_name_search_index: (operators) => `using gin (rollcall_fold(name) ${operators})`,
};

/** The names of the indexes of the search. */
export const SEARCH_INDEXES: readonly string[] = Object.keys(INDEXES);

/** The indexes of the search that a database lacks, or has half built. Writes nothing. */
export async function findMissingIndexes(em: EntityManager): Promise<readonly string[]> {
  const [row] = await em.execute<Indexes[]>(SEARCHED);
  return SEARCH_INDEXES.filter((name) => row?.valid.includes(name) !== true);
}

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
  if (trigrams instanceof Error) {
    return {
      reason: trigrams.message,
      statement: 'create extension pg_trgm; -- as a superuser, in this database, then restart',
    };
  }
  const { role, owner, valid } = await surveyIndexes(connection);
  if (!trigrams.isOpen) {
    const schema = quoteIdentifier(trigrams.schema);
    return {
      reason: `${role} may not use the schema ${trigrams.schema}, which has pg_trgm`,
      statement: `grant usage on schema ${schema} to ${quoteIdentifier(role)}; -- as its owner, then restart`,
    };
  }
  const missing = Object.entries(INDEXES).filter(([name]) => !valid.includes(name));
  if (missing.length === 0) return undefined;
  // A build that was killed leaves an index that is kept up to date and never used.
  const statements = missing.flatMap(([name, definition]) => [
    `drop index concurrently if exists "${name}"`,
    `create index concurrently "${name}" on "users" ${definition(operatorsOf(trigrams))}`,
  ]);
  if (owner !== null) {
    return {
      reason: `indexes are missing, and the table users belongs to ${owner}`,
      statement: `${statements.join('; ')}; -- as ${owner}, one by one`,
    };
  }
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
