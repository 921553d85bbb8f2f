import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../domain/refusals.ts';

// By the clock: `now()` is when the transaction began. In the order of `lapsedSql`: the last one stays if all are over.
const LOCK = `
  with locked as (
    select id, role_until from users where role = 'admin' and status = 'active' order by id for update
  )
  select id, coalesce(role_until > clock_timestamp(), true) as holds
    from locked order by coalesce(role_until, 'infinity') desc, id desc`;

/** The active admins, with their rows locked until the transaction of `em` ends. */
export interface LockedAdmins {
  /** The ids of those whose role is not over. */
  readonly holding: Set<number>;
  /** The id of the one that stays an admin while nobody else is one. */
  readonly last: number | undefined;
}

/** Locks all active admins: others who take an admin away wait, and then see what was done here. */
export async function lockAdmins(em: EntityManager): Promise<LockedAdmins> {
  const rows = await em.execute<{ id: number; holds: boolean }[]>(LOCK);
  const holding = new Set(rows.filter(({ holds }) => holds).map(({ id }) => id));
  return { holding, last: rows[0]?.id };
}

/** The ids of all who can administer at this moment, locked as {@link lockAdmins} does it. */
export async function lockActiveAdmins(em: EntityManager): Promise<Set<number>> {
  const { holding, last } = await lockAdmins(em);
  return holding.size > 0 || last === undefined ? holding : new Set([last]);
}

/**
 * Throws `last_admin` where there is no active admin any more, once what was changed past the flush has been written. One whose role is
 * over is none.
 */
export async function requireActiveAdmin(em: EntityManager): Promise<void> {
  if ((await lockAdmins(em)).holding.size === 0) throw refusals.lastAdmin();
}
