import { Webhook as Signer } from 'standardwebhooks';
import packageJson from '../../../package.json' with { type: 'json' };
import type { Change } from '../../domain/change.ts';
import { changeView } from '../history/view.ts';

/** The HTTP message that delivers a change. */
export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Creates the message for a change by the Standard Webhooks specification, signed with each of the secrets. `webhook-id` is the
 * same for every attempt and every receiver.
 */
export function messageOf(change: Change, secrets: readonly string[], now: Date): Message {
  const id = `change_${change.id}`;
  const data = changeView(change);
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
