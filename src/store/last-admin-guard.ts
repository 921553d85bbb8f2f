import {
  ChangeSetType,
  type EventSubscriber,
  type FlushEventArgs,
  OptimisticLockError,
  wrap,
} from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { User } from '../domain/user.ts';
import { lastAdmin, lockActiveAdmins } from './active-admins.ts';

/**
 * Sees to it that there is an active admin after every flush that takes one away, whichever way it came.
 *
 * It locks the rows of all active admins before it counts, so that of two who demote each other in the same instant the
 * second finds out what the first has done. That holds inside a transaction only: see `unit-of-work.ts`.
 */
export class LastAdminGuard implements EventSubscriber {
  async onFlush({ em, uow }: FlushEventArgs): Promise<void> {
    const touched = uow
      .getChangeSets()
      .filter((set): set is typeof set & { entity: User } => set.entity instanceof User);
    for (const { type, entity } of touched)
      if (type === ChangeSetType.DELETE) await claimRow(em as EntityManager, entity);

    const isGone = (set: (typeof touched)[number]) =>
      set.type === ChangeSetType.DELETE || !set.entity.isActiveAdmin();
    const leaving = touched.filter((set) => {
      // As it was loaded: the change set of a deletion does not know.
      const before = wrap(set.entity, true).__originalEntityData as Partial<User> | undefined;
      return isGone(set) && before?.role === 'admin' && before.status === 'active';
    });
    if (leaving.length === 0) return;

    const staying = await lockActiveAdmins(em as EntityManager);
    for (const { entity } of leaving) staying.delete(entity.id);
    const joining = touched.some((set) => !isGone(set) && !staying.has(set.entity.id));
    if (staying.size === 0 && !joining) throw lastAdmin();
  }
}

/**
 * A deletion names no version, as an update does: without this it would take away what others have written meanwhile, and
 * go by a role that is no longer true. Throws `OptimisticLockError`.
 */
async function claimRow(em: EntityManager, user: User): Promise<void> {
  const [row] = await em.execute<{ version: number }[]>('select version from users where id = ? for update', [
    user.id,
  ]);
  if (row?.version !== user.version) throw OptimisticLockError.lockFailed(user);
}
