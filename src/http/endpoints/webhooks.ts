import { z } from 'zod';
import type { Webhook } from '../../domain/webhook.ts';
import type { SendOptions } from '../../services/webhooks/sender.ts';
import { resumeWebhook, webhookStatuses } from '../../services/webhooks/status.ts';
import { TEST_TYPE, tryWebhook, type WebhookTrial, webhookNamed } from '../../services/webhooks/trial.ts';
import { webhookView } from '../answer/views.ts';
import { endpoint } from '../endpoint.ts';
import { changeId } from '../schemas/change.ts';
import { webhook, webhookTrial } from '../schemas/webhook.ts';

const params = z.object({ name: z.string().meta({ examples: ['crm.example.com'] }) });

/** Webhook status (admins). */
export function webhookEndpoints(hooks: readonly Webhook[], sending: SendOptions) {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/webhooks',
      access: 'admin',
      summary: 'List webhooks with their delivery status',
      description:
        'What is delivered, what waits, and why a delivery fails. The webhooks themselves are settings.',
      answer: {
        status: 200,
        description: 'All configured webhooks.',
        schema: z.strictObject({ items: z.array(webhook) }).meta({ id: 'WebhookList' }),
      },
      handle: ({ unit }) => webhookStatuses(unit.em, hooks),
      view: (statuses) => ({ items: statuses.map(webhookView) }),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/webhooks/:name/resume',
      access: 'admin',
      summary: 'Resume a webhook',
      description:
        'Tries a failing or parked webhook again at once, or skips the change that its receiver never accepts.',
      params,
      query: z.strictObject({
        skip: changeId.optional().meta({
          description: 'Skip this change, if it is the one whose delivery fails (`failingChangeId`).',
        }),
      }),
      answer: {
        status: 200,
        description: 'The webhook, active again: its next attempt follows within a second.',
        schema: webhook,
      },
      handle: ({ unit, params, query }) => resumeWebhook(unit, hooks, { ...params, ...query }),
      view: webhookView,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/webhooks/:name/test',
      access: 'admin',
      summary: 'Send a test to a webhook',
      description: 'Shows whether the receiver answers and accepts the signature.',
      params,
      answer: {
        status: 200,
        description: `The outcome. The message has the type \`${TEST_TYPE}\`, is signed like every other, and changes nothing about the deliveries. A dry run sends nothing.`,
        schema: webhookTrial,
      },
      async handle({ unit, params: { name }, standAside }) {
        const hook = webhookNamed(hooks, name);
        // The receiver may take its time.
        return unit.dryRun ? undefined : standAside(() => tryWebhook(hook, sending));
      },
      view: (trial) => trial as WebhookTrial,
    }),
  ];
}
