import { Migration } from '@mikro-orm/migrations';

/** Who is signed in to the console, and the codes of links that sign in. */
export class Migration20261129000043_console_sessions extends Migration {
  override up(): void {
    this.addSql(`
      create table "console_sessions" (
        "id" serial not null,
        "digest" varchar(64) not null,
        "account_id" int not null,
        "door" varchar(10) not null,
        "address" varchar(45) null,
        "user_agent" varchar(255) null,
        "created_at" timestamptz not null default now(),
        "last_used_at" timestamptz not null default now(),
        "expires_at" timestamptz not null,
        constraint "console_sessions_pkey" primary key ("id"),
        constraint "console_sessions_digest_unique" unique ("digest"),
        constraint "console_sessions_account_id_foreign"
          foreign key ("account_id") references "users" ("id") on delete cascade
      );
    `);
    this.addSql('create index "console_sessions_account_id_index" on "console_sessions" ("account_id");');
    this.addSql(`
      create table "console_codes" (
        "digest" varchar(64) not null,
        "account_id" int not null,
        "expires_at" timestamptz not null,
        constraint "console_codes_pkey" primary key ("digest"),
        constraint "console_codes_account_id_foreign"
          foreign key ("account_id") references "users" ("id") on delete cascade
      );
    `);
    this.addSql('create index "console_codes_account_id_index" on "console_codes" ("account_id");');
    // Whatever suspends an account, a request, an import or an operator's own statement, its sessions end in the same transaction.
    // In the schema of the table, whatever the search path of that statement is.
    this.addSql(`
      create function "rollcall_end_sessions"() returns trigger language plpgsql as $$
      begin
        execute format('delete from %I.console_codes where account_id = $1', tg_table_schema) using new.id;
        execute format('delete from %I.console_sessions where account_id = $1', tg_table_schema) using new.id;
        return null;
      end
      $$;
    `);
    this.addSql(`
      create trigger "users_end_sessions" after update of "status" on "users" for each row
        when (new.status <> 'active' and old.status = 'active') execute function "rollcall_end_sessions"();
    `);
  }

  override down(): void {
    this.addSql('drop trigger "users_end_sessions" on "users"; drop function "rollcall_end_sessions"();');
    this.addSql('drop table "console_codes"; drop table "console_sessions";');
  }
}
