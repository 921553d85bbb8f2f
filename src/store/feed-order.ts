/**
 * SQL for a transaction's position in the feed, from SQL for its id: the id itself, until the database moves to another
 * cluster (dump and restore), where ids start again. From then on it is the id plus a shift, so that what comes is after all
 * that was.
 */
export function feedOrderOf(transactionId: string): string {
  return `((${transactionId})::text::bigint + coalesce((select max(shift) from feed_shifts), 0))::text::xid8`;
}

/** SQL for the position below which no transaction is still running. */
export const HORIZON = feedOrderOf('pg_snapshot_xmin(pg_current_snapshot())');
