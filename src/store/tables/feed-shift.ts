import { defineEntity, p } from '@mikro-orm/core';

/**
 * SQL for the place of a transaction in the feed, from SQL for its id: the id itself, until the database moves to another
 * cluster (dump and restore), whose ids begin anew. From then on it is the id and a shift, so that what comes is after all
 * that was.
 */
export function placeOf(transactionId: string): string {
  return `((${transactionId})::text::bigint + coalesce((select max(shift) from feed_shifts), 0))::text::xid8`;
}

/** How the table is described to the ORM, which only compares it with the migrations: a row for each such move. */
export const FeedShiftSchema = defineEntity({
  name: 'FeedShift',
  tableName: 'feed_shifts',
  properties: {
    shift: p.bigint('number').primary().autoincrement(false),
    at: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
