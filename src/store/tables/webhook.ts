import { defineEntity, p } from '@mikro-orm/core';

/** The table of webhooks, described for the comparison with the migrations: its rows are not entities. */
export const WebhookSchema = defineEntity({
  name: 'Webhook',
  tableName: 'webhooks',
  properties: {
    name: p.string().length(100).primary(),
    // Its position in the feed: everything up to here was delivered, or not wanted.
    transactionId: p.string().columnType('xid8'),
    changeId: p.bigint('number'),
    // The process that holds the lease, and its end; without an end, the last holder.
    leaseHolder: p.uuid().nullable(),
    leaseUntil: p.datetime().columnType('timestamptz').nullable(),
    attempts: p.integer().default(0),
    failingSince: p.datetime().columnType('timestamptz').nullable(),
    failingChangeId: p.bigint('number').nullable(),
    nextAttemptAt: p.datetime().columnType('timestamptz').nullable(),
    parkedAt: p.datetime().columnType('timestamptz').nullable(),
    lastError: p.string().length(300).nullable(),
    lastDeliveredAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
