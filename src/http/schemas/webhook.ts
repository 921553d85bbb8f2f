import { z } from 'zod';
import { ACTIONS } from '../../domain/change.ts';
import { WEBHOOK_STATES } from '../../services/webhooks/status.ts';

const time = z.iso.datetime().nullable();

/** A webhook and how it fares, as it leaves. */
export const webhook = z
  .strictObject({
    name: z.string(),
    url: z.string().meta({ description: 'Without its query, which may have a secret.' }),
    actions: z.array(z.enum(ACTIONS)).nullable().meta({ description: 'Which it wants; null for any.' }),
    fields: z.array(z.string()).nullable().meta({ description: 'Changes to which it wants; null for any.' }),
    state: z
      .enum(WEBHOOK_STATES)
      .meta({ description: '`parked`: nothing is tried any more until it is resumed.' }),
    cursor: z.string().meta({ description: 'Its place in the feed: up to here it has been told.' }),
    pendingSince: time.meta({ description: 'When the oldest change happened that it has not come to.' }),
    failingChangeId: z.int().nullable().meta({ description: 'The change that it does not get past.' }),
    attempts: z.int().meta({ description: 'How often that has been tried.' }),
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
