import { defineEntity, p } from '@mikro-orm/core';

/** How the table is described to the ORM, which only compares it with the migrations: rows are no entities. */
export const WebhookSchema = defineEntity({
  name: 'Webhook',
  tableName: 'webhooks',
  properties: {
    name: p.string().length(100).primary(),
    // Its place in the feed: all up to this one has been delivered, or was not wanted.
    transactionId: p.string().columnType('xid8'),
    changeId: p.bigint('number'),
    // The process that is at it, and until when nobody else may be; without that, the one that was last.
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
