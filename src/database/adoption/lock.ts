import type { EntityManager } from '@mikro-orm/postgresql';
import { CannotAdopt } from './problem.ts';

/** How long the table's other users may keep it, in milliseconds. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Locks the table `users` until the transaction ends, so that what has been checked stays so. Throws {@link CannotAdopt} while another
 * session uses it.
 */
export async function lockTable(
  em: EntityManager,
  mode: 'access exclusive' | 'share row exclusive',
): Promise<void> {
  await em.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    await em.execute(`lock table "users" in ${mode} mode`);
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error;
    throw new CannotAdopt(
      [
        {
          column: 'users',
          message: 'is in use by another session; stop the service that had it, and try again',
        },
      ],
      [],
    );
  }
  await em.execute('set local lock_timeout to default');
}
