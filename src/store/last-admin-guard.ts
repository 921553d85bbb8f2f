import {
  type ChangeSet,
  ChangeSetType,
  type EventSubscriber,
  type FlushEventArgs,
  OptimisticLockError,
} from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../domain/refusals.ts';
import { isActiveAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, originalOf } from './account-change-sets.ts';
import { lockActiveAdmins } from './active-admins.ts';

/**
 * Refuses a flush that would leave no active admin, whoever causes it.
 *
 * It locks the rows of all active admins before it counts, so that of two who demote each other at the same time the second
 * sees what the first did. That needs the transaction that a unit of work opens before it flushes.
 */
export class LastAdminGuard implements EventSubscriber {
  async onFlush({ em, uow }: FlushEventArgs): Promise<void> {
    const changeSets = accountChangeSets(uow);
    for (const { type, entity } of changeSets)
      if (type === ChangeSetType.DELETE) await lockRow(em as EntityManager, entity);

    const isGone = ({ type, entity }: ChangeSet<User>) =>
      type === ChangeSetType.DELETE || !entity.isActiveAdmin();
    // As loaded: the change set of a deletion does not know.
    const leaving = changeSets.filter((set) => isGone(set) && isActiveAdmin(originalOf(set.entity) ?? {}));
    if (leaving.length === 0) return;

    const staying = await lockActiveAdmins(em as EntityManager);
    for (const { entity } of leaving) staying.delete(entity.id);
    const isJoined = changeSets.some((set) => !isGone(set) && !staying.has(set.entity.id));
    if (staying.size === 0 && !isJoined) throw refusals.lastAdmin();
  }
}

/**
 * Locks the row of an account that is about to be deleted, and compares its version, which a deletion does not do by
 * itself: it would delete what others have written meanwhile, and trust an outdated role. Throws `OptimisticLockError`.
 */
async function lockRow(em: EntityManager, account: User): Promise<void> {
  const [row] = await em.execute<{ version: number }[]>('select version from users where id = ? for update', [
    account.id,
  ]);
  if (row?.version !== account.version) throw OptimisticLockError.lockFailed(account);
}
