import { defineEntity, p } from '@mikro-orm/core';
import type { Action } from '../../domain/change.ts';

/**
 * The index of the history by fields, described for the comparison with the migrations. It is a table, because no index of
 * PostgreSQL has the elements of an array in another column's order: finding the latest changes of a field would read all of
 * them, or walk back through the history until there are enough.
 *
 * Creations and deletions appear under the paths of their preferences only: they have all other fields anyway. A change takes
 * a bounded number of rows, see `domain/field-index.ts`.
 */
export const ChangeFieldSchema = defineEntity({
  name: 'ChangeField',
  tableName: 'change_fields',
  properties: {
    field: p.string().length(255).primary(),
    action: p.string().$type<Action>().length(10).primary(),
    at: p.datetime().columnType('timestamptz').primary(),
    changeId: p.bigint('number').primary(),
  },
});
