import { Webhook as Signer } from 'standardwebhooks';
import packageJson from '../../../package.json' with { type: 'json' };
import type { Change } from '../../domain/change.ts';
import { changeRecord } from '../history/view.ts';

/** A change as it is told to a webhook. */
export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Puts a change into a message by the Standard Webhooks specification, signed with each of the secrets. `webhook-id` is
 * the same whenever and to whomever the change is told.
 */
export function messageOf(change: Change, secrets: readonly string[], now: Date): Message {
  const id = `change_${change.id}`;
  const data = changeRecord(change);
  const body = JSON.stringify({ type: `account.${change.action}`, timestamp: data.at, data });
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
