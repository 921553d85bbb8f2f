import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

/**
 * Closes the ORM and all its connections. By itself the ORM forgets a pool that was only used past its query builder (for an
 * account look-up or a page of a list), and an idle connection would keep the process alive.
 */
export async function closeOrm(orm: MikroORM): Promise<void> {
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  await orm.close(true);
  if (!pool.ending) await pool.end();
}
