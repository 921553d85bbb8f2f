import { randomUUID } from 'node:crypto';
import { refusals } from '../../domain/refusals.ts';
import type { Webhook } from '../../domain/webhook.ts';
import { signed } from './message.ts';
import { Sender, type SendOptions } from './sender.ts';
import { verdictOn } from './verdict.ts';

/** The outcome of a test message. */
export interface WebhookTrial {
  /** Whether the receiver has answered 2xx. */
  readonly accepted: boolean;
  /** The status of its answer; `null`: there was none. */
  readonly status: number | null;
  /** Why it does not count as delivered; `null` where it does. */
  readonly reason: string | null;
  /** How long the exchange took, in milliseconds. */
  readonly milliseconds: number;
}

/** The type of a test message. */
export const TEST_TYPE = 'webhook.test';

/**
 * Sends a test message to a webhook: signed and sent as a change is, but apart from the deliveries, whose state stays.
 */
export async function tryWebhook(hook: Webhook, options: SendOptions): Promise<WebhookTrial> {
  const now = new Date();
  const body = { type: TEST_TYPE, timestamp: now.toISOString(), data: { webhook: hook.name } };
  const message = signed(`test_${randomUUID()}`, JSON.stringify(body), hook.secrets, now);
  const sender = new Sender(hook.url, options);
  const start = performance.now();
  // It ends by its time limit, and has nothing to undo.
  const answer = await sender.send(message, new AbortController().signal).finally(() => sender.close());
  const verdict = verdictOn(answer, 1, now);
  return {
    accepted: verdict === undefined,
    status: 'status' in answer ? answer.status : null,
    reason: verdict?.reason ?? null,
    milliseconds: Math.round(performance.now() - start),
  };
}

/** The configured webhook with this name. Throws `not_found`. */
export function webhookNamed(hooks: readonly Webhook[], name: string): Webhook {
  const hook = hooks.find((one) => one.name === name);
  if (hook === undefined) throw refusals.notFound();
  return hook;
}
