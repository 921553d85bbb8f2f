import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

/**
 * The reason of a change, and an index that finds everything that one request has changed. The index is built while others write,
 * which takes it out of any transaction; each step can be repeated.
 */
export class Migration20261129000044_requests_and_reasons extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run('alter table "changes" add column if not exists "reason" text null');
      // A build that was killed leaves an index that is kept up to date and never used.
      const { rows } = await run(
        `select 1 from pg_index where indexrelid = to_regclass('"changes_request_id_at_id_index"') and not indisvalid`,
      );
      if (rows.length > 0) await run('drop index concurrently "changes_request_id_at_id_index"');
      await run(
        `create index concurrently if not exists "changes_request_id_at_id_index"
           on "changes" ("request_id", "at", "id") where request_id is not null`,
      );
    });
  }

  override async down(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run('drop index concurrently if exists "changes_request_id_at_id_index"');
      await run('alter table "changes" drop column if exists "reason"');
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
