import type { EntityManager } from '@mikro-orm/postgresql';

/**
 * How far the feed leaps ahead. A dump is older than what others may have read since it was made: no place of theirs shall
 * ever be taken by something else.
 */
const LEAP = 2 ** 32;

// Whatever has been committed in this cluster has an id below these two; so a place that has not is from another cluster.
const SHIFT = `
  insert into feed_shifts (shift)
  select last.place + ${LEAP} - pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    from (select transaction_id::text::bigint as place from changes order by transaction_id desc, id desc limit 1) as last
   where last.place >= coalesce((select max(shift) from feed_shifts), 0) + greatest(
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
           pg_current_xact_id_if_assigned()::text::bigint + 1)
  returning shift`;

/**
 * Sees to it that the feed goes on behind its last entry when the database has come from another cluster, whose
 * transaction ids were higher, as after a dump and restore: else nothing of it would be served until this one has caught up.
 * Says whether that was so. To be called under the boot lock, before anything is written.
 */
export async function shiftFeed(em: EntityManager): Promise<boolean> {
  return (await em.execute<unknown[]>(SHIFT)).length > 0;
}
