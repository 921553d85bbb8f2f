import { Migration } from '@mikro-orm/migrations';

/** Who may come in beside the accounts: service tokens; and who has been turned away. */
export class Migration20261128000000_access extends Migration {
  override up(): void {
    this.addSql(`
      create table "service_tokens" (
        "id" serial not null,
        "name" varchar(100) not null,
        "digest" varchar(64) not null,
        "scopes" text[] not null,
        "created_by" varchar(255) not null,
        "created_at" timestamptz not null default now(),
        "expires_at" timestamptz not null,
        "last_used_at" timestamptz null,
        "revoked_at" timestamptz null,
        "revoked_by" varchar(255) null,
        constraint "service_tokens_pkey" primary key ("id"),
        constraint "service_tokens_name_unique" unique ("name"),
        constraint "service_tokens_digest_unique" unique ("digest")
      );
    `);
    this.addSql(`
      create table "refused_sign_ins" (
        "email" varchar(255) not null,
        "reason" varchar(50) not null,
        "count" int not null default 1,
        "first_at" timestamptz not null default now(),
        "last_at" timestamptz not null default now(),
        constraint "refused_sign_ins_pkey" primary key ("email", "reason")
      );
    `);
    this.addSql('create index "refused_sign_ins_last_at_index" on "refused_sign_ins" ("last_at");');
  }

  override down(): void {
    this.addSql('drop table "refused_sign_ins"; drop table "service_tokens";');
  }
}
