import { defineEntity, p } from '@mikro-orm/core';
import { ACTIONS, type AccountValues } from '../../domain/change.ts';

/** The table of the history, described for the comparison with the migrations: its rows are not entities. */
export const ChangeSchema = defineEntity({
  name: 'Change',
  tableName: 'changes',
  indexes: [
    { name: 'changes_transaction_id_id_index', properties: ['transactionId', 'id'] },
    { name: 'changes_user_id_at_id_index', properties: ['userId', 'at', 'id'] },
    {
      // One expression, so that PostgreSQL has statistics of the pair and no other index to try.
      name: 'changes_actor_action_at_id_index',
      expression: `create index "changes_actor_action_at_id_index" on "changes" ((actor || ' ' || action), "at", "id")`,
    },
    { name: 'changes_actor_id_index', properties: ['actorId'] },
    { name: 'changes_action_at_id_index', properties: ['action', 'at', 'id'] },
    {
      name: 'changes_request_id_at_id_index',
      expression: `create index "changes_request_id_at_id_index" on "changes" ("request_id", "at", "id") where request_id is not null`,
    },
    {
      name: 'changes_erasable_index',
      expression: `create index "changes_erasable_index" on "changes" ("at") where action = 'deleted' and erased_at is null`,
    },
  ],
  properties: {
    id: p.bigint('number').primary().generated('identity'),
    transactionId: p.string().columnType('xid8').defaultRaw('pg_current_xact_id()'),
    at: p.datetime().columnType('timestamptz').defaultRaw('clock_timestamp()'),
    actorId: p.integer().nullable(),
    actor: p.string().length(255),
    requestId: p.string().length(128).nullable(),
    userId: p.integer(),
    action: p.enum([...ACTIONS]).columnType('varchar(10)'),
    before: p.json<AccountValues>().nullable(),
    after: p.json<AccountValues>().nullable(),
    fields: p.array().columnType('text[]'),
    version: p.integer(),
    undoes: p.bigint('number').nullable(),
    reason: p.text().nullable(),
    erasedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
