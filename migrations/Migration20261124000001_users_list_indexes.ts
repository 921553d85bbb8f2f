import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

const INDEXES = {
  users_created_at_id_index: '("created_at", "id")',
  users_role_created_at_id_index: '("role", "created_at", "id")',
  users_role_email_index: '("role", "email")',
  users_status_created_at_id_index: '("status", "created_at", "id")',
  users_status_email_index: '("status", "email")',
  users_storage_mode_created_at_id_index: '("storage_mode", "created_at", "id")',
  users_storage_mode_email_index: '("storage_mode", "email")',
  users_email_covering_index: '("email") include ("id", "name", "role", "status", "storage_mode")',
  users_email_trigram_index: 'using gin (email gin_trgm_ops)',
  users_name_trigram_index: 'using gin (name gin_trgm_ops)',
};

/**
 * The indexes of the lists, built while others write, which takes them out of any transaction: each is there or not by
 * itself, and a second run goes on where a first one was killed.
 *
 * The boot lock holds all the same. It is the lock of another transaction, on another connection, which does nothing
 * meanwhile: it has touched no table and has no snapshot, so that CONCURRENTLY does not wait for it.
 */
export class Migration20261124000001_users_list_indexes extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      for (const [name, definition] of Object.entries(INDEXES)) {
        // A build that was killed leaves an index that is kept up to date and never used.
        const { rows } = await run(
          `select 1 from pg_index where indexrelid = to_regclass('"${name}"') and not indisvalid`,
        );
        if (rows.length > 0) await run(`drop index concurrently "${name}"`);
        await run(`create index concurrently if not exists "${name}" on "users" ${definition}`);
      }
    });
  }

  override async down(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      for (const name of Object.keys(INDEXES)) await run(`drop index concurrently if exists "${name}"`);
    });
  }

  /** One connection for all of it, on which a statement may take as long as a big table needs. */
  private async withoutTimeout(work: (run: Run) => Promise<void>): Promise<void> {
    const pool = await (this.driver as PostgreSqlDriver).getConnection().getNativeClient();
    const client = await pool.connect();
    try {
      await client.query('set statement_timeout = 0');
      await work((sql) => client.query(sql));
    } finally {
      await client.query('reset statement_timeout');
      client.release();
    }
  }
}

type Run = (sql: string) => Promise<{ rows: unknown[] }>;
