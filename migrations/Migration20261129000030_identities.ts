import { Migration } from '@mikro-orm/migrations';

/** Whom an account belongs to at each issuer, whatever their email. Accounts that exist are bound at their next sign-in. */
export class Migration20261129000030_identities extends Migration {
  override up(): void {
    // Without a foreign key: a deleted account can be restored, with its identities, until it is erased.
    this.addSql(`
      create table "identities" (
        "id" serial not null,
        "user_id" int not null,
        "issuer" varchar(512) not null,
        "subject" varchar(255) not null,
        "email" varchar(255) not null,
        "first_seen_at" timestamptz not null default now(),
        "last_seen_at" timestamptz not null default now(),
        "cut_at" timestamptz null,
        "cut_by" varchar(255) null,
        "cut_by_id" int null,
        constraint "identities_pkey" primary key ("id")
      );
    `);
    this.addSql(
      'create unique index "identities_issuer_subject_unique" on "identities" ("issuer", "subject") where cut_at is null;',
    );
    this.addSql(
      'create unique index "identities_user_id_issuer_unique" on "identities" ("user_id", "issuer") where cut_at is null;',
    );
    this.addSql('create index "identities_user_id_index" on "identities" ("user_id");');
  }

  override down(): void {
    this.addSql('drop table "identities";');
  }
}
