import { z } from 'zod';
import type { Webhook } from '../../domain/webhook.ts';
import { resumeWebhook, webhookStatuses } from '../../services/webhooks/status.ts';
import { webhookView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { webhook } from '../schemas/webhook.ts';

/** How the configured webhooks fare, for admins. */
export function webhookEndpoints(hooks: readonly Webhook[]): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/webhooks',
      access: 'admin',
      summary: 'The webhooks and how they fare',
      answer: {
        status: 200,
        description: 'All that are configured.',
        schema: z.strictObject({ items: z.array(webhook) }),
      },
      handle: ({ em }) => webhookStatuses(em, hooks),
      view: (statuses) => ({ items: statuses.map(webhookView) }),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/webhooks/:name/resume',
      access: 'admin',
      summary: 'Try a webhook again at once',
      params: z.object({ name: z.string().meta({ examples: ['crm.example.com'] }) }),
      query: z.strictObject({
        skip: z
          .string()
          .regex(/^[1-9]\d{0,14}$/, 'It must be the id of a change.')
          .transform(Number)
          .optional()
          .meta({
            override: { type: 'integer', minimum: 1 },
            description:
              'A change that it shall not be told of, if this is the one that it does not get past (`failingChangeId`).',
          }),
      }),
      answer: {
        status: 200,
        description: 'The webhook, active: parked or waiting, it is tried again within a second.',
        schema: webhook,
      },
      handle: ({ em, params, query }) => resumeWebhook(em, hooks, { ...params, ...query }),
      view: webhookView,
    }),
  ];
}
