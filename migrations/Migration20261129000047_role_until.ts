import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

/**
 * The role of an admin can end by itself. Without an index: there are few admins, and the one of their role finds them. Without a
 * constraint that only admins have an end: older versions, which may run beside this one, do not know the column.
 *
 * Outside of any transaction, so that requests wait for this statement and for nothing else.
 */
export class Migration20261129000047_role_until extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.#run('alter table "users" add column if not exists "role_until" timestamptz null');
  }

  override async down(): Promise<void> {
    await this.#run('alter table "users" drop column if exists "role_until"');
  }

  async #run(sql: string): Promise<void> {
    const pool = await (this.driver as PostgreSqlDriver).getConnection().getNativeClient();
    await pool.query(sql);
  }
}
