import { Migration } from '@mikro-orm/migrations';

/**
 * The history of the accounts. Accounts that are older than it begin theirs as they are now, since they were last
 * changed; what they were before nobody knows.
 */
export class Migration20261125000000_changes extends Migration {
  override up(): void {
    this.addSql(`
      create table "changes" (
        "id" bigint generated always as identity not null,
        "transaction_id" xid8 not null default pg_current_xact_id(),
        "at" timestamptz not null default clock_timestamp(),
        "actor_id" int null,
        "actor" varchar(255) not null,
        "request_id" varchar(128) null,
        "user_id" int not null,
        "action" varchar(10) not null,
        "before" jsonb null,
        "after" jsonb null,
        "fields" text[] not null,
        "version" int not null,
        "undoes" bigint null,
        "erased_at" timestamptz null,
        constraint "changes_pkey" primary key ("id"),
        constraint "changes_action_check" check ("action" in ('created', 'updated', 'deleted'))
      );
    `);
    // Nothing of the baseline is in it: an entry without preferences' paths is found by its action.
    this.addSql(`
      create table "change_fields" (
        "field" varchar(255) not null,
        "action" varchar(10) not null,
        "at" timestamptz not null,
        "change_id" bigint not null,
        constraint "change_fields_pkey" primary key ("field", "action", "at", "change_id")
      );
    `);
    this.addSql(`
      create table "feed_shifts" (
        "shift" bigint not null,
        "at" timestamptz not null default now(),
        constraint "feed_shifts_pkey" primary key ("shift")
      );
    `);
    // Before the indexes, which are quicker built at once than row by row.
    this.addSql(`
      insert into "changes" ("at", "actor", "user_id", "action", "after", "fields", "version")
      select "updated_at", 'boot', "id", 'created',
             jsonb_build_object(
               'email', "email", 'name', "name", 'role', "role", 'status', "status", 'storageMode', "storage_mode",
               'preferences', coalesce("preferences", '{}'), 'createdAt', "created_at"
             ),
             array['email', 'name', 'role', 'status', 'storageMode', 'preferences'], "version"
        from "users" order by "id";
    `);
    this.addSql(`
      create index "changes_transaction_id_id_index" on "changes" ("transaction_id", "id");
      create index "changes_user_id_at_id_index" on "changes" ("user_id", "at", "id");
      create index "changes_actor_action_at_id_index" on "changes" ((actor || ' ' || action), "at", "id");
      create index "changes_actor_id_index" on "changes" ("actor_id");
      create index "changes_action_at_id_index" on "changes" ("action", "at", "id");
      create index "changes_erasable_index" on "changes" ("at") where action = 'deleted' and erased_at is null;
    `);
  }

  override down(): void {
    this.addSql('drop table "feed_shifts";');
    this.addSql('drop table "change_fields";');
    this.addSql('drop table "changes";');
  }
}
