import type { EntityManager } from '@mikro-orm/postgresql';
import { DomainError } from '../domain/errors.ts';

/**
 * The ids of all active admins as they are at this moment, their rows locked until the transaction of `em` ends: whoever
 * else takes an admin away waits, and then finds out what has been done here.
 */
export async function lockActiveAdmins(em: EntityManager): Promise<Set<number>> {
  const rows = await em.execute<{ id: number }[]>(
    `select id from users where role = 'admin' and status = 'active' order by id for update`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** What befalls who would leave no active admin. */
export function lastAdmin(): DomainError {
  return new DomainError('last_admin', 'This is the last active admin, and one must remain.');
}
