import type { EntityManager } from '@mikro-orm/postgresql';
import { LEDGER } from './ledger-name.ts';
import { quoteIdentifier as quoted } from './quote-identifier.ts';
import { DatabaseUnfit } from './unfit.ts';

/** What a role may do in the schema that its sessions look into first. */
interface Rights {
  readonly role: string;
  readonly schema: string;
  readonly mayCreate: boolean;
  readonly hasLedger: boolean;
  /** Tables of Rollcall that belong to others. */
  readonly foreign: readonly string[];
  /** Tables, sequences and functions of Rollcall that it may not read, write and call. */
  readonly closed: readonly string[];
}

/** Rollcall's functions: of the search, and of the change feed. */
const FUNCTIONS = ['rollcall_fold(text)', 'rollcall_server()'] as const;

/** The rights of the role, as a row of {@link Rights}, with {@link rightsParameter}. */
export const RIGHTS = `
  with tables as (
    select oid, relname as name, relowner from pg_class
     where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind in ('r', 'p') and relname = any(?::text[])
  )
  select current_user::text as role, current_schema()::text as schema,
         has_schema_privilege(current_schema(), 'create') as "mayCreate",
         exists (select from tables where name = '${LEDGER}') as "hasLedger",
         (select coalesce(jsonb_agg(name order by name), '[]') from tables where not pg_has_role(relowner, 'usage')) as foreign,
         (select coalesce(jsonb_agg(name order by name), '[]') from (
            select name from tables where not (
              has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
              and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
            union all
            select relname from pg_depend join tables on tables.oid = refobjid join pg_class on pg_class.oid = objid
             where deptype = 'a' and not case relkind when 'S' then has_sequence_privilege(pg_class.oid, 'usage') else true end
            union all
            select name from unnest(array['${FUNCTIONS.join("','")}']) as name
             where not coalesce(has_function_privilege(to_regprocedure(name)::oid, 'execute'), true)
          ) as shut) as closed`;

/** The names of all tables. */
export function rightsParameter(em: EntityManager): string {
  const tables = [...em.getMetadata().getAll().values()].map(({ tableName }) => tableName);
  return `{${[...tables, 'rate_limits', LEDGER].join()}}`;
}

/**
 * Throws {@link DatabaseUnfit}, with the statement that mends it, where the role lacks a right that serving needs, or, with
 * `isPending` migrations, migrating; a restore by another role has such tables. Before there is a ledger, a table is not ours.
 */
export async function checkRights(em: EntityManager, isPending: boolean): Promise<void> {
  const [row] = await em.execute<Rights[]>(RIGHTS, [rightsParameter(em)]);
  const { role, schema, mayCreate, hasLedger, foreign, closed } = row as Rights;
  const where = quoted(schema);
  if ((isPending || !hasLedger) && !mayCreate) {
    throw new DatabaseUnfit(
      `The role ${role} may not create tables in the schema ${schema}. Its owner runs: ` +
        `grant create on schema ${where} to ${quoted(role)}`,
    );
  }
  if (isPending && foreign.length > 0) {
    const statements = foreign.map(
      (table) => `alter table ${where}.${quoted(table)} owner to ${quoted(role)}`,
    );
    throw new DatabaseUnfit(
      `Migrations have to change tables in the schema ${schema} that do not belong to ${role}. A superuser runs: ` +
        statements.join('; '),
    );
  }
  if (hasLedger && closed.length > 0) {
    const grants = [
      `select, insert, update, delete on all tables in schema ${where}`,
      `usage on all sequences in schema ${where}`,
      // Everybody may call a function, unless an owner has changed that.
      ...FUNCTIONS.filter((name) => closed.includes(name)).map(
        (name) => `execute on function ${where}.${name}`,
      ),
    ];
    throw new DatabaseUnfit(
      `The role ${role} may not use ${closed.join(', ')} in the schema ${schema}. The owner runs: ` +
        grants.map((what) => `grant ${what} to ${quoted(role)}`).join('; '),
    );
  }
}
