import type { z } from 'zod';
import type { Change, RecordedChange } from '../../domain/change.ts';
import type { Account } from '../../domain/user.ts';
import { accountRecord } from '../../services/accounts/view.ts';
import { changeRecord, recordedChangeRecord } from '../../services/history/view.ts';
import type { WebhookStatus } from '../../services/webhooks/status.ts';
import { feedCursor } from '../../store/feed-page.ts';
import type { account } from '../schemas/account.ts';
import type { change, dryRunChanges } from '../schemas/change.ts';
import type { webhook } from '../schemas/webhook.ts';
import { entityTag } from './entity-tag.ts';

/** An account as its owner and admins see it. Dates are ISO 8601, in UTC. */
export const accountView: (user: Account) => z.output<typeof account> = accountRecord;

/** An entry of the history as admins and whom it concerns see it. */
export const changeView: (entry: Change) => z.output<typeof change> = changeRecord;

/** The same of an entry that has been taken back, and with it its id. */
export const recordedChangeView: (recorded: RecordedChange) => z.output<typeof dryRunChanges>[number] =
  recordedChangeRecord;

/** A webhook as admins see it. Of its URL the origin alone: with many receivers the path is a key. */
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
export function accountHeaders(user: Account): { ETag: string } {
  return { ETag: entityTag(user) };
}
