import { Migration } from '@mikro-orm/migrations';

/** An account can be suspended, and counts its versions. */
export class Migration20261124000000_users_status_version extends Migration {
  override up(): void {
    // For the search in emails and names. Trusted since PostgreSQL 13: who may create in the database may add it.
    this.addSql('create extension if not exists pg_trgm;');
    this.addSql(`
      alter table "users"
        add column "status" varchar(20) not null default 'active',
        add column "version" integer not null default 1,
        add constraint "users_status_check" check ("status" in ('active', 'suspended'));
    `);
  }

  override down(): void {
    // The extension stays: others may use it by now.
    this.addSql('alter table "users" drop column "status", drop column "version";');
  }
}
