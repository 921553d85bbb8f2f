import type { Change } from './client.ts';

/** What a webhook delivers. A `webhook.test` is sent by hand, and means no change. */
export type WebhookMessage =
  | {
      readonly type: `account.${Change['action']}`;
      readonly timestamp: string;
      readonly data: Change;
      /** The same each time that it is delivered: keep the ids that you have seen. */
      readonly id: string;
    }
  | {
      readonly type: 'webhook.test';
      readonly timestamp: string;
      readonly data: { readonly webhook: string };
      readonly id: string;
    };

/** Why a message is not to be trusted. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  readonly code: 'headers_missing' | 'time_differs' | 'signature_invalid';

  constructor(code: WebhookError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A message as it has arrived: a `Request`, or the headers and the whole body, byte by byte, as frameworks of Node have them. */
export type ReceivedMessage =
  | Request
  | {
      readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
      readonly body: string | Uint8Array;
    };

/** How to check a message. */
export interface VerifyOptions {
  /** How far its time may be from the clock here, in seconds. Default: 300. */
  readonly toleranceSeconds?: number;
}

const TOLERANCE_SECONDS = 300;

/**
 * Checks that a message comes from the service (Standard Webhooks), unchanged and now, and returns it. With several secrets, one of which
 * must fit, a secret can be changed. Throws {@link WebhookError} otherwise; answer 401 then.
 */
export async function verifyWebhook(
  message: ReceivedMessage,
  secrets: string | readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS }: VerifyOptions = {},
): Promise<WebhookMessage> {
  const header = (name: string): string => {
    const { headers } = message;
    const value = headers instanceof Headers ? headers.get(name) : (headers as Record<string, unknown>)[name];
    if (typeof value !== 'string' || value === '') {
      throw new WebhookError('headers_missing', `The header ${name} is missing.`);
    }
    return value;
  };
  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(header) as [
    string,
    string,
    string,
  ];
  // A time that is no number differs too.
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= toleranceSeconds)) {
    throw new WebhookError('time_differs', 'The message is too old, or the clocks differ.');
  }
  const body =
    message instanceof Request
      ? new Uint8Array(await message.clone().arrayBuffer())
      : typeof message.body === 'string'
        ? new TextEncoder().encode(message.body)
        : message.body;
  const head = new TextEncoder().encode(`${id}.${time}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  for (const secret of [secrets].flat()) {
    const bytes = bytesOf(secret.replace(/^whsec_/, ''));
    if (bytes.length === 0) throw new TypeError('The secret must be "whsec_" and base64.');
    const hmac = { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']);
    for (const signature of signatures.split(' ')) {
      const [version, value = ''] = signature.split(',');
      if (version !== 'v1') continue;
      // Compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, bytesOf(value), signed)) {
        return { ...JSON.parse(new TextDecoder().decode(body)), id } as WebhookMessage;
      }
    }
  }
  throw new WebhookError(
    'signature_invalid',
    'No signature fits: the secret differs, or the body was changed.',
  );
}

/** The bytes of base64; none where it is none, which fits no signature. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
