import type { z } from 'zod';
import type { Account } from '../../domain/user.ts';
import type { WebhookStatus } from '../../services/webhooks/status.ts';
import type { webhook } from '../schemas/webhook.ts';
import { entityTag } from './entity-tag.ts';
import { feedCursor } from './feed-cursor.ts';

/** A webhook as admins see it. Only the origin of its URL: the path often is a key. */
export function webhookView(status: WebhookStatus): z.output<typeof webhook> {
  const { name, url, actions, fields } = status.hook;
  return {
    name,
    url: new URL(url).origin,
    actions: actions && [...actions],
    fields: fields && [...fields],
    state: status.state,
    cursor: feedCursor(status.position),
    pendingSince: status.pendingSince?.toISOString() ?? null,
    failingChangeId: status.failingChangeId,
    attempts: status.attempts,
    failingSince: status.failingSince?.toISOString() ?? null,
    nextAttemptAt: status.nextAttemptAt?.toISOString() ?? null,
    lastError: status.lastError,
    lastDeliveredAt: status.lastDeliveredAt?.toISOString() ?? null,
  };
}

/** The headers of an answer that shows one account. */
export function accountHeaders(account: Account): { ETag: string } {
  return { ETag: entityTag(account) };
}
