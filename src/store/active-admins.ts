import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../domain/refusals.ts';
import { ACTIVE_ADMIN, User } from '../domain/user.ts';

/**
 * The ids of all active admins at this moment, with their rows locked until the transaction of `em` ends: others who take
 * an admin away wait, and then see what was done here.
 */
export async function lockActiveAdmins(em: EntityManager): Promise<Set<number>> {
  const rows = await em
    .createQueryBuilder(User)
    .select('id')
    .where(ACTIVE_ADMIN)
    .orderBy({ id: 'asc' })
    .setLockMode(LockMode.PESSIMISTIC_WRITE)
    .execute('all', false);
  return new Set(rows.map(({ id }) => id));
}

/** Throws `last_admin` where there is no active admin any more, once what was changed past the flush has been written. */
export async function requireActiveAdmin(em: EntityManager): Promise<void> {
  if ((await lockActiveAdmins(em)).size === 0) throw refusals.lastAdmin();
}
