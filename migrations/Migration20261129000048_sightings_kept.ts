import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

/**
 * A restore of data alone writes the sightings before the accounts: the trigger that gives each new account its row keeps what is
 * there by now, where it used to reset it. For that, no row may be left of an account that is gone, which a `truncate` used to
 * leave: whoever had its id next would seem to have been seen.
 *
 * Outside of any transaction, so that writers of accounts wait for the trigger to be made and for nothing else. Each step can be
 * repeated.
 */
export class Migration20261129000048_sightings_kept extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run(adding('do nothing'));
      await run(`
        create or replace function rollcall_clear_sightings() returns trigger
          language plpgsql as $$
        begin
          execute format('delete from %I.sightings', tg_table_schema);
          return null;
        end $$`);
      await run('drop trigger if exists "users_clear_sightings" on "users"');
      await run(`
        create trigger "users_clear_sightings" after truncate on "users"
          for each statement execute function rollcall_clear_sightings()`);
      await run(
        'delete from "sightings" where not exists (select from "users" where "id" = "sightings"."user_id")',
      );
    });
  }

  override async down(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run('drop trigger if exists "users_clear_sightings" on "users"');
      await run('drop function if exists rollcall_clear_sightings()');
      await run(adding('do update set last_seen_at = default, since = default'));
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

type Run = (sql: string) => Promise<unknown>;

/** The trigger's function, which does this with a row that is there. Qualified, because a restore of data alone has an empty search path. */
const adding = (onConflict: string) => `
  create or replace function rollcall_add_sightings() returns trigger
    language plpgsql as $$
  begin
    execute format(
      'insert into %I.sightings (user_id) select id from added on conflict (user_id) ${onConflict}', tg_table_schema);
    return null;
  end $$`;
