import { Migration } from '@mikro-orm/migrations';

/** How far each webhook has come in the feed, who is at it, and what has gone wrong. */
export class Migration20261126000000_webhooks extends Migration {
  override up(): void {
    this.addSql(`
      create table "webhooks" (
        "name" varchar(100) not null,
        "transaction_id" xid8 not null,
        "change_id" bigint not null,
        "lease_holder" uuid null,
        "lease_until" timestamptz null,
        "attempts" int not null default 0,
        "failing_since" timestamptz null,
        "failing_change_id" bigint null,
        "next_attempt_at" timestamptz null,
        "parked_at" timestamptz null,
        "last_error" varchar(300) null,
        "last_delivered_at" timestamptz null,
        constraint "webhooks_pkey" primary key ("name")
      );
    `);
  }

  override down(): void {
    this.addSql('drop table "webhooks";');
  }
}
