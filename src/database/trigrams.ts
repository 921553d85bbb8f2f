import type { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { quoteIdentifier } from './quote-identifier.ts';

type Connection = ReturnType<PostgreSqlDriver['getConnection']>;

/** The codes of an extension that may not be created, or is not installed on the server. */
const UNAVAILABLE = new Set(['42501', '58P01', '0A000']);

/** The trigram operators of a database, as a role sees them. */
export interface Trigrams {
  readonly schema: string;
  /** Whether sessions find them by their name alone. */
  readonly isVisible: boolean;
  /** Whether the role may use that schema. */
  readonly isOpen: boolean;
}

/** Finds the trigram operators, and creates the extension pg_trgm where it is missing. Returns the reason where it cannot be created. */
export async function ensureTrigrams(connection: Connection): Promise<Trigrams | Error> {
  const found = await findTrigrams(connection);
  if (found !== undefined) return found;
  try {
    await connection.execute('create extension if not exists pg_trgm');
  } catch (error) {
    if (error instanceof Error && UNAVAILABLE.has((error as { code?: string }).code ?? '')) return error;
    throw error;
  }
  return (await findTrigrams(connection)) ?? new Error('pg_trgm has no class of operators for indexes');
}

/** The trigram operators, as a row of {@link Trigrams}. */
export const TRIGRAMS = `
  select nspname as schema, pg_opclass_is_visible(pg_opclass.oid) as "isVisible",
         has_schema_privilege(pg_namespace.oid, 'usage') as "isOpen"
    from pg_opclass join pg_namespace on pg_namespace.oid = opcnamespace
   where opcname = 'gin_trgm_ops' order by 2 desc, 3 desc limit 1`;

/** The trigram operators, if the database has them. Writes nothing. */
export async function findTrigrams(connection: Connection): Promise<Trigrams | undefined> {
  const [row] = await connection.execute<Trigrams[]>(TRIGRAMS);
  return row;
}

// A superuser may create any extension; others those that are trusted, where they may create schemas.
const CREATABLE = `
  select current_user::text as role, current_database() as database,
         bool_or(name is not null) as "isThere",
         bool_or(current_setting('is_superuser')::boolean
                 or trusted and has_database_privilege(current_database(), 'create')) as "isAllowed"
    from (select) as always left join pg_available_extension_versions on name = 'pg_trgm'`;

/**
 * What {@link ensureTrigrams} would find: the trigram operators, the reason where the extension cannot be created, or `undefined`
 * where it can. Writes nothing.
 */
export async function planTrigrams(connection: Connection): Promise<Trigrams | Error | undefined> {
  const found = await findTrigrams(connection);
  if (found !== undefined) return found;
  const [row] = await connection.execute<Creatable[]>(CREATABLE);
  const { role, database, isThere = false, isAllowed = false } = row ?? ({} as Partial<Creatable>);
  if (!isThere) return new Error('the server does not have the extension pg_trgm');
  return isAllowed ? undefined : new Error(`${role} may not create the extension pg_trgm in ${database}`);
}

interface Creatable {
  readonly role: string;
  readonly database: string;
  /** Whether the server has the extension. */
  readonly isThere: boolean;
  /** Whether the role may create it. */
  readonly isAllowed: boolean;
}

/** SQL of the trigram operators, with their schema. */
export function operatorsOf({ schema }: Trigrams): string {
  return `${quoteIdentifier(schema)}.gin_trgm_ops`;
}
