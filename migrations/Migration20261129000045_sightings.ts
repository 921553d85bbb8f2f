import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

/**
 * When each account was last seen, in a table of its own. Measured with a million accounts: a column of `users` would be in an index
 * too, for the filters, so that no update is HOT and each writes to all of the table's indexes. That takes four to seven times as
 * long, writes fifteen times as much to the log (98 MB in place of 6.7 for 20,000 sightings), makes each vacuum take nine times as
 * long, and locks rows that writers of accounts want.
 *
 * Triggers give each new account its row and take that of a deleted one, whoever writes it: a list in the order of sightings must not
 * lack an account, and counts read the index alone. A foreign key would not make the rows, and each insert would lock the account.
 *
 * Outside of any transaction, so that writers of accounts wait for the triggers to be made and for nothing else. Each step can be
 * repeated.
 */
export class Migration20261129000045_sightings extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run(`
        create table if not exists "sightings" (
          "user_id" int not null,
          "last_seen_at" timestamptz not null default '-infinity',
          "since" timestamptz not null default now(),
          constraint "sightings_pkey" primary key ("user_id")
        )`);
      await run(
        'create index if not exists "sightings_last_seen_at_user_id_index" on "sightings" ("last_seen_at", "user_id")',
      );
      // Qualified, because a restore of data alone has an empty search path.
      await run(`
        create or replace function rollcall_add_sightings() returns trigger
          language plpgsql as $$
        begin
          execute format(
            'insert into %I.sightings (user_id) select id from added
             on conflict (user_id) do update set last_seen_at = default, since = default', tg_table_schema);
          return null;
        end $$`);
      await run(`
        create or replace function rollcall_remove_sightings() returns trigger
          language plpgsql as $$
        begin
          execute format('delete from %I.sightings where user_id in (select id from removed)', tg_table_schema);
          return null;
        end $$`);
      await run('drop trigger if exists "users_remove_sightings" on "users"');
      await run(`
        create trigger "users_remove_sightings" after delete on "users"
          referencing old table as removed for each statement execute function rollcall_remove_sightings()`);
      await run('drop trigger if exists "users_add_sightings" on "users"');
      await run(`
        create trigger "users_add_sightings" after insert on "users"
          referencing new table as added for each statement execute function rollcall_add_sightings()`);
      // What the identities know of the time before.
      await run(`
        insert into "sightings" ("user_id", "last_seen_at")
        select "id", coalesce((select max("last_seen_at") from "identities" where "user_id" = "users"."id"), '-infinity')
          from "users" order by "id"
        on conflict do nothing`);
      await run('analyze "sightings"');
    });
  }

  override async down(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run('drop trigger if exists "users_add_sightings" on "users"');
      await run('drop trigger if exists "users_remove_sightings" on "users"');
      await run('drop function if exists rollcall_add_sightings()');
      await run('drop function if exists rollcall_remove_sightings()');
      await run('drop table if exists "sightings"');
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
