import type { EntityManager } from '@mikro-orm/postgresql';

/**
 * How far the feed leaps ahead. Readers may have seen positions that are newer than the dump: none of them may be given to
 * another change.
 */
const LEAP = 2 ** 32;

/**
 * Selects the feed's last position where it comes from another cluster: it is not below the transaction ids that this one has yet
 * to give. No row where the feed can go on.
 */
export const BEHIND = `
  select last.position
    from (select transaction_id::text::bigint as position from changes order by transaction_id desc, id desc limit 1) as last
   where last.position >= coalesce((select max(shift) from feed_shifts), 0) + greatest(
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
           pg_current_xact_id_if_assigned()::text::bigint + 1)`;

const SHIFT = `
  insert into feed_shifts (shift)
  select position + ${LEAP} - pg_snapshot_xmin(pg_current_snapshot())::text::bigint from (${BEHIND}) as behind
  returning shift`;

/**
 * Continues the feed after its last position when the database has moved to a cluster with lower transaction ids, as after
 * a dump and restore: otherwise new changes would be withheld until the ids catch up. Returns whether it shifted the feed.
 * Call it under the boot lock, before anything is written.
 */
export async function shiftFeed(em: EntityManager): Promise<boolean> {
  return (await em.execute<unknown[]>(SHIFT)).length > 0;
}
