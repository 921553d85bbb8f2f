import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

const INDEXES = {
  users_domain_created_at_id_index: '((split_part(email, \'@\', 2)), "created_at", "id")',
  users_domain_email_index: '((split_part(email, \'@\', 2)), "email")',
};

/**
 * Accounts are listed by the domain of their email, in each order of the list. The indexes are built while others write, which takes
 * them out of any transaction: each is there or not by itself, and a second run goes on where a first one was killed.
 */
export class Migration20261129000046_email_domain_index extends Migration {
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
      // An expression has statistics from here on only; without them, a domain of nearly all accounts would look rare.
      await run('analyze "users" (email)');
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
