import { setTimeout as delay } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

/** How long connections that are still in use may take, in milliseconds: one that broke may never be given back. */
const CLOSING_MS = 1_000;

/**
 * Closes the ORM and all its connections. By itself the ORM forgets a pool that was only used past its query builder (for an
 * account look-up or a page of a list), and an idle connection would keep the process alive.
 */
export async function closeOrm(orm: MikroORM): Promise<void> {
  const isClosed = new AbortController();
  const tooLong = delay(CLOSING_MS, undefined, { signal: isClosed.signal });
  await Promise.race([close(orm), tooLong]).finally(() => isClosed.abort());
}

async function close(orm: MikroORM): Promise<void> {
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  await orm.close(true);
  if (!pool.ending) await pool.end();
}
