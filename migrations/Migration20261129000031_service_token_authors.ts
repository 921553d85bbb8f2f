import { Migration } from '@mikro-orm/migrations';

/** A service token knows its authors by their ids, and may have no end. */
export class Migration20261129000031_service_token_authors extends Migration {
  override up(): void {
    this.addSql(`
      alter table "service_tokens"
        add column "created_by_id" int null,
        add column "revoked_by_id" int null,
        alter column "expires_at" drop not null;
    `);
    this.addSql(`
      update "service_tokens" set
        "created_by_id" = ${authorAt('"service_tokens"."created_by"', '"service_tokens"."created_at"')},
        "revoked_by_id" = ${authorAt('"service_tokens"."revoked_by"', '"service_tokens"."revoked_at"')};
    `);
  }

  override down(): void {
    this.addSql(`
      update "service_tokens" set "expires_at" = now() + interval '10 years' where "expires_at" is null;
    `);
    this.addSql(`
      alter table "service_tokens"
        drop column "created_by_id",
        drop column "revoked_by_id",
        alter column "expires_at" set not null;
    `);
  }
}

/** The id of the account that had this email as an actor: by its last act up to then, or else by its email now. */
function authorAt(actor: string, time: string): string {
  return `coalesce(
    substring(${actor} from '^erased-(\\d{1,9})$')::int,
    (select actor_id from changes
      where actor || ' ' || action in (${actor} || ' created', ${actor} || ' updated', ${actor} || ' deleted')
        and at <= ${time} and actor_id is not null
      order by at desc, id desc limit 1),
    (select id from users where email = ${actor} and created_at <= ${time})
  )`;
}
