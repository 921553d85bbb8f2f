import type { EntityManager } from '@mikro-orm/postgresql';

/** A table `users` that is foreign. By the catalog alone, which waits for no lock, for every start asks. */
export const FOREIGN = `
  select from pg_class
   where relname = 'users' and relnamespace = (select oid from pg_namespace where nspname = current_schema())
     and not exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'version' and not attisdropped)`;

/**
 * Whether our schema has a table `users` that Rollcall has not created: Rollcall's has a column `version` since the transaction that
 * created it.
 */
export async function isForeign(em: EntityManager): Promise<boolean> {
  const rows = await em.execute<unknown[]>(FOREIGN);
  return rows.length > 0;
}
