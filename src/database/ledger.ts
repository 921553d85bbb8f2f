import { MigrationStorage } from '@mikro-orm/migrations';
import type { EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { LEDGER } from './ledger-name.ts';
import { quoteIdentifier } from './quote-identifier.ts';

/** The table of the ORM's own name, which any other application of the schema may share. */
const SHARED_LEDGER = 'mikro_orm_migrations';

/** What was applied while the ledger had the shared name. */
const SHARED_MIGRATIONS = [
  'Migration20261123000000_users',
  'Migration20261124000000_users_status_version',
  'Migration20261124000001_users_list_indexes',
  'Migration20261125000000_changes',
  'Migration20261126000000_webhooks',
  'Migration20261127000000_rate_limits',
  'Migration20261128000000_access',
  'Migration20261129000020_email_domains',
  'Migration20261129000030_identities',
  'Migration20261129000031_service_token_authors',
];

/** Which of the two tables the first schema of the search path has, for this role. */
const TABLES = `
  select to_regclass(format('%I.%I', current_schema(), '${LEDGER}')) is not null as own,
         coalesce(has_table_privilege(to_regclass(format('%I.%I', current_schema(), '${SHARED_LEDGER}')), 'select'), false) as shared`;

/**
 * The migrations that have been applied to a database, which may have no ledger yet, or only that of an older version. Writes
 * nothing.
 */
export async function appliedMigrations(em: EntityManager): Promise<readonly string[]> {
  const [found] = await em.execute<{ own: boolean; shared: boolean }[]>(TABLES);
  if (!found?.own && !found?.shared) return [];
  const rows = await em.execute<{ name: string }[]>(
    `select name from ${found.own ? LEDGER : SHARED_LEDGER} order by id`,
  );
  const names = rows.map(({ name }) => name);
  return found.own ? names : names.filter((name) => SHARED_MIGRATIONS.includes(name));
}

/**
 * The ledger. Where it is missing, it begins with what an older version has noted in the shared table. Those rows stay there
 * too: replicas of that version look at them while they are replaced, and so does whoever goes back to it.
 */
export class Ledger extends MigrationStorage {
  #exists = false;

  override async ensureTable(): Promise<void> {
    if (this.#exists) return;
    const connection = (this.driver as PostgreSqlDriver).getConnection();
    const { tableName, schemaName = 'public' } = this.getTableName();
    const nameOf = (table: string) => `${quoteIdentifier(schemaName)}.${quoteIdentifier(table)}`;
    const [found] = await connection.execute<{ own: boolean; shared: boolean }[]>(
      `select to_regclass(?) is not null as own, coalesce(has_table_privilege(to_regclass(?), 'select'), false) as shared`,
      [nameOf(tableName), nameOf(SHARED_LEDGER)],
    );
    // A shared table that is closed to this role belongs to another application.
    // One round trip is one transaction: the table is never there without its first rows.
    if (!found?.own) {
      await connection.execute(
        `create table ${nameOf(tableName)} (
           "id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz not null default current_timestamp
         );
         ${found?.shared ? copyStatement(nameOf(tableName), nameOf(SHARED_LEDGER)) : ''}`,
      );
    }
    this.#exists = true;
  }
}

function copyStatement(own: string, shared: string): string {
  const names = SHARED_MIGRATIONS.map((name) => `'${name}'`).join(', ');
  return `insert into ${own} ("name", "executed_at")
    select "name", min("executed_at") from ${shared} where "name" in (${names}) group by "name" order by min("id")`;
}
