import { Migration } from '@mikro-orm/migrations';

/** The lives of the database: each begins where a server takes over that may not have all of what another one served. */
export class Migration20261129000042_feed_epochs extends Migration {
  override up(): void {
    this.addSql(`
      create table if not exists "feed_epochs" (
        "number" int not null,
        "id" varchar(12) not null,
        "server" varchar(255) not null,
        "timeline" int null,
        "forked_at" bigint null,
        "at" timestamptz not null default now(),
        constraint "feed_epochs_pkey" primary key ("number")
      );
    `);
    // The control file shows the timeline of the last checkpoint, which is the old one until some time after a promotion; the name
    // of the log file shows the present one. Only a server that was a standby knows where it left the old one: the position
    // that it replayed last, which after a crash is that of the crash, and then it has received and replayed nothing.
    // Some roles may not ask, and some providers' servers do not answer. Any other error says nothing of the server: with a made-up
    // identity, a fault that passes would begin an epoch.
    this.addSql(`
      create or replace function rollcall_server(out server text, out timeline int, out lsn bigint, out forked_at bigint)
        language plpgsql volatile as $$
      begin
        if pg_is_in_recovery() then
          raise exception 'This server is a read-only standby: the change feed is read from the primary.'
            using errcode = 'read_only_sql_transaction';
        end if;
        begin
          lsn := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
          timeline := ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int;
          server := (select system_identifier from pg_control_system());
          if pg_last_wal_receive_lsn() is not null or pg_last_xact_replay_timestamp() is not null then
            forked_at := pg_last_wal_replay_lsn() - '0/0'::pg_lsn;
          end if;
        exception when insufficient_privilege or undefined_function or feature_not_supported then
          server := 'unknown';
          timeline := null;
          lsn := 0;
          forked_at := null;
        end;
        -- A dump that is restored beside its original, or in its place, is another life too.
        server := concat_ws('/', server,
          (select oid from pg_database where datname = current_database()), to_regclass('changes')::oid,
          (select coalesce(max(shift), 0) from feed_shifts));
      end $$;
    `);
  }

  override down(): void {
    this.addSql('drop function rollcall_server();');
    this.addSql('drop table "feed_epochs";');
  }
}
