import { defineEntity, p } from '@mikro-orm/core';

/** The table of the database's lives, described for the comparison with the migrations: the last row is the present one. */
export const FeedEpochSchema = defineEntity({
  name: 'FeedEpoch',
  tableName: 'feed_epochs',
  properties: {
    number: p.integer().primary().autoincrement(false),
    // Random: two standbys of a server can begin timelines of the same number.
    id: p.string().length(12),
    // The cluster, the database, the table of the history and the shift of the feed.
    server: p.string().length(255),
    timeline: p.integer().nullable(),
    // The position in the log up to which this life has all of the one before; null where it may lack any of it.
    forkedAt: p.bigint('number').nullable(),
    at: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
