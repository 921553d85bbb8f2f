import { createHash } from 'node:crypto';
import { Webhook as Signer } from 'standardwebhooks';
import packageJson from '../../../package.json' with { type: 'json' };
import type { FeedEntry } from '../../store/feed-position.ts';
import { changeView } from '../history/view.ts';

/** The HTTP message that delivers a change. */
export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How much of the digest is in a message's id: 64 bits. */
const DIGEST_LENGTH = 16;

/**
 * The id of the message for a change, the same for every attempt and every receiver. After a failover or a restore, the number
 * of a change that was lost is given again: the digest of what makes the change itself tells the two apart, and is the same
 * where the change has survived, so that receivers that drop duplicates drop neither. Erasure leaves it as it is.
 */
function messageId({
  position: { transactionId },
  change: { id, at, requestId, userId, version },
}: FeedEntry): string {
  const origin = JSON.stringify([transactionId, id, at, requestId, userId, version]);
  return `change_${id}_${createHash('sha256').update(origin).digest('hex').slice(0, DIGEST_LENGTH)}`;
}

/**
 * Creates the message for a change by the Standard Webhooks specification, signed with each of the secrets. Its `webhook-id` is
 * the one of {@link messageId}.
 */
export function messageOf(entry: FeedEntry, secrets: readonly string[], now: Date): Message {
  const { change } = entry;
  const data = changeView(change);
  const body = JSON.stringify({ type: `account.${change.action}`, timestamp: data.at, data });
  return signed(messageId(entry), body, secrets, now);
}

/** A message with this id and body, signed with each of the secrets. */
export function signed(id: string, body: string, secrets: readonly string[], now: Date): Message {
  return {
    headers: {
      'content-type': 'application/json',
      'user-agent': `Rollcall/${packageJson.version}`,
      'webhook-id': id,
      'webhook-timestamp': `${Math.floor(now.getTime() / 1000)}`,
      'webhook-signature': secrets.map((secret) => new Signer(secret).sign(id, now, body)).join(' '),
    },
    body,
  };
}
