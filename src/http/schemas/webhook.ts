import { z } from 'zod';
import { WEBHOOK_STATES } from '../../services/webhooks/status.ts';
import { action } from './change.ts';
import { openList } from './open-list.ts';

const time = z.iso.datetime().nullable();

/** The schema of a webhook's delivery status. */
export const webhook = z
  .strictObject({
    name: z.string(),
    url: z.string().meta({ description: 'The origin only: the rest may contain a secret.' }),
    actions: z.array(action).nullable().meta({ description: 'Filter of actions; null for all.' }),
    fields: z.array(z.string()).nullable().meta({ description: 'Filter of changed fields; null for all.' }),
    state: openList(WEBHOOK_STATES).meta({
      description: '`parked`: no delivery is attempted until it is resumed.',
    }),
    cursor: z
      .string()
      .meta({ description: 'Its position in the feed: everything up to here has been delivered.' }),
    pendingSince: time.meta({ description: 'The time of the oldest undelivered change.' }),
    failingChangeId: z.int().nullable().meta({ description: 'The change whose delivery fails.' }),
    attempts: z.int().meta({ description: 'The number of attempts at it.' }),
    failingSince: time,
    nextAttemptAt: time,
    lastError: z.string().nullable(),
    lastDeliveredAt: time,
  })
  .meta({
    id: 'Webhook',
    examples: [
      {
        name: 'crm.example.com',
        url: 'https://crm.example.com/rollcall',
        actions: null,
        fields: ['role', 'preferences.theme'],
        state: 'retrying',
        cursor: '812-16',
        pendingSince: '2026-02-01T08:30:00.000Z',
        failingChangeId: 17,
        attempts: 3,
        failingSince: '2026-02-01T08:30:00.100Z',
        nextAttemptAt: '2026-02-01T08:30:35.700Z',
        lastError: 'the answer was 503',
        lastDeliveredAt: '2026-01-31T12:00:00.250Z',
      },
    ],
  });

/** The schema of what came of a test message. */
export const webhookTrial = z
  .strictObject({
    accepted: z.boolean().meta({ description: 'Whether the receiver has answered 2xx.' }),
    status: z.int().nullable().meta({ description: 'The status of its answer; null: there was none.' }),
    reason: z.string().nullable().meta({ description: 'Why it does not count as delivered.' }),
    milliseconds: z.int().meta({ description: 'How long the exchange took.' }),
  })
  .meta({
    id: 'WebhookTrial',
    examples: [{ accepted: false, status: 401, reason: 'the answer was 401', milliseconds: 42 }],
  });
