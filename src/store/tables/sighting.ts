import { defineEntity, p } from '@mikro-orm/core';

/**
 * The table of when accounts were last seen, described for the comparison with the migrations: its rows are not entities. Triggers give
 * each account a row, so that an index knows those that were never seen too: they have `-infinity`.
 */
export const SightingSchema = defineEntity({
  name: 'Sighting',
  tableName: 'sightings',
  indexes: [{ name: 'sightings_last_seen_at_user_id_index', properties: ['lastSeenAt', 'userId'] }],
  properties: {
    userId: p.integer().primary().autoincrement(false),
    lastSeenAt: p.datetime().columnType('timestamptz').defaultRaw(`'-infinity'`),
    // Nothing is known from before: absence counts from here.
    since: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
