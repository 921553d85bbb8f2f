import { defineEntity, p } from '@mikro-orm/core';

/** The table of feed shifts, described for the comparison with the migrations: a row for each move to another cluster. */
export const FeedShiftSchema = defineEntity({
  name: 'FeedShift',
  tableName: 'feed_shifts',
  properties: {
    shift: p.bigint('number').primary().autoincrement(false),
    at: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
