import { Migration } from '@mikro-orm/migrations';

/** Answers to requests with an idempotency key are kept here for a day. */
export class Migration20261129000041_idempotency extends Migration {
  override up(): void {
    // Of the key only a digest: it may have any text in it.
    this.addSql(`
      create table "kept_answers" (
        "digest" varchar(64) not null,
        "fingerprint" varchar(64) null,
        "account_id" int null,
        "subject_id" int null,
        "at" timestamptz not null default now(),
        "headers" jsonb null,
        "body" text null,
        constraint "kept_answers_pkey" primary key ("digest")
      );
    `);
    this.addSql('create index "kept_answers_at_index" on "kept_answers" ("at");');
    this.addSql('create index "kept_answers_account_id_index" on "kept_answers" ("account_id");');
    this.addSql('create index "kept_answers_subject_id_index" on "kept_answers" ("subject_id");');
  }

  override down(): void {
    this.addSql('drop table "kept_answers";');
  }
}
