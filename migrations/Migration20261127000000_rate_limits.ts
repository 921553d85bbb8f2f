import { Migration } from '@mikro-orm/migrations';

/** Requests can be counted here, for all processes together. */
export class Migration20261127000000_rate_limits extends Migration {
  override up(): void {
    // The columns, in this order, are what rate-limiter-flexible writes. Unlogged: a count is written with every request,
    // and that a crash of the database server empties the table does no harm.
    this.addSql(`
      create unlogged table "rate_limits" (
        "key" varchar(255) not null,
        "points" integer not null default 0,
        "expire" bigint null,
        constraint "rate_limits_pkey" primary key ("key")
      );
    `);
  }

  override down(): void {
    this.addSql('drop table "rate_limits";');
  }
}
