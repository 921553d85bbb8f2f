import { defineEntity, p } from '@mikro-orm/core';
import type { Action } from '../../domain/change.ts';

/**
 * How the index of the history by fields is described to the ORM, which only compares it with the migrations. It is a
 * table, because no index of PostgreSQL has the elements of an array in another column's order: to find the latest
 * changes of a field, it would read all of them, or go back through the history until it has met enough.
 *
 * Creations and deletions are in it by the paths of their preferences alone: all other fields are in each of them.
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
