import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

/**
 * Closes the ORM with all of its connections. By itself it forgets the pool where nothing has been asked but what goes past
 * its query builder (the account of a token, a page of a list), and the process would stay for as long as one may be idle.
 */
export async function closeOrm(orm: MikroORM): Promise<void> {
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  await orm.close(true);
  if (!pool.ending) await pool.end();
}
