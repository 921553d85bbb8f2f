import { Migration } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';

/** The collations whose upper and lower case know every script, best first: a database of the locale C knows ASCII alone. */
const COLLATIONS = [
  'pg_unicode_fast',
  'pg_c_utf8',
  'und-x-icu',
  'C.utf8',
  'C.UTF-8',
  'en_US.utf8',
  'en_US.UTF-8',
];

/**
 * Names are searched for in a form that ignores case and composition, whatever the collation of the database is. Its index is
 * built while others write, which takes it out of any transaction; each step can be repeated.
 */
export class Migration20261129000040_name_search extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override async up(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      const { rows } = await run(`
        select collname as name from pg_collation
         where collnamespace = 'pg_catalog'::regnamespace and collencoding in (-1, pg_char_to_encoding('UTF8'))
           and collname in (${COLLATIONS.map((name) => `'${name}'`).join()})`);
      const best = COLLATIONS.find((name) => rows.some((row) => row['name'] === name)) ?? 'default';
      // Lower case of upper case: sharp s is ss, and the final sigma and the dotless i are as the others. What remains of a
      // dotted capital I is an i with a dot above it, which goes. ASCII, which needs none of this, takes a tenth of the time.
      // Not strict, because PostgreSQL then could not put the expression in the place of the call. All names are qualified,
      // because a search path of the function would prevent that too, and a restore and ANALYZE have an empty one.
      await run(`
        create or replace function rollcall_fold(value text) returns text
          language sql immutable parallel safe as $$
          select case when pg_catalog.octet_length(value) operator(pg_catalog.=) pg_catalog.length(value)
            then pg_catalog.lower(value collate pg_catalog."C") collate pg_catalog."default"
            else pg_catalog.translate(
              pg_catalog.lower(
                pg_catalog.upper(pg_catalog.normalize(value, 'NFKC') collate pg_catalog."${best}") collate pg_catalog."${best}"),
              pg_catalog.chr(962) operator(pg_catalog.||) pg_catalog.chr(305) operator(pg_catalog.||) pg_catalog.chr(775),
              pg_catalog.chr(963) operator(pg_catalog.||) 'i') collate pg_catalog."default" end
        $$`);
      const { rows: broken } = await run(
        `select 1 from pg_index where indexrelid = to_regclass('users_name_search_index') and not indisvalid`,
      );
      // A build that was killed leaves an index that is kept up to date and never used.
      if (broken.length > 0) await run('drop index concurrently "users_name_search_index"');
      await run(
        'create index concurrently if not exists "users_name_search_index" on "users" using gin (rollcall_fold(name) gin_trgm_ops)',
      );
      await run('drop index concurrently if exists "users_name_trigram_index"');
    });
  }

  override async down(): Promise<void> {
    await this.withoutTimeout(async (run) => {
      await run('drop index concurrently if exists "users_name_search_index"');
      await run('drop function if exists rollcall_fold(text)');
      await run(
        'create index concurrently if not exists "users_name_trigram_index" on "users" using gin (name gin_trgm_ops)',
      );
    });
  }

  /** One connection for all of it, on which a statement may take as long as a big table needs. */
  private async withoutTimeout(work: (run: Run) => Promise<void>): Promise<void> {
    const pool = await (this.driver as PostgreSqlDriver).getConnection().getNativeClient();
    const client = await pool.connect();
    try {
      await client.query('set statement_timeout = 0');
      await work((sql) => client.query(sql));
    } finally {
      await client.query('reset statement_timeout');
      client.release();
    }
  }
}

type Run = (sql: string) => Promise<{ rows: Record<string, unknown>[] }>;
