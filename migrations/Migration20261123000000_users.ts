import { Migration } from '@mikro-orm/migrations';

/** The accounts. */
export class Migration20261123000000_users extends Migration {
  override up(): void {
    this.addSql(`
      create table "users" (
        "id" serial not null,
        "email" varchar(255) not null,
        "name" varchar(255) null,
        "role" varchar(50) not null default 'user',
        "preferences" jsonb null,
        "storage_mode" varchar(10) not null default 'local',
        "created_at" timestamptz not null default now(),
        "updated_at" timestamptz not null default now(),
        constraint "users_pkey" primary key ("id"),
        constraint "users_email_unique" unique ("email"),
        constraint "users_email_normalized" check (email = normalize(lower(btrim(email)), NFKC)),
        constraint "users_storage_mode_check" check ("storage_mode" in ('local', 'account'))
      );
    `);
  }

  override down(): void {
    this.addSql('drop table "users";');
  }
}
