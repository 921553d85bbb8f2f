import { createHash, hash } from 'node:crypto';
import { refusals } from '../../domain/refusals.ts';
import type { KeyedRequest } from '../../store/kept-answer.ts';
import type { RequestContext } from '../context.ts';

const HEADER = 'idempotency-key';

const MAX_LENGTH = 255;

/** A String of Structured Fields (RFC 9651, section 3.3.3). */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;

/** What many clients send instead: the text alone. */
const BARE = /^[\w.~:+/=-]+$/;

/** Whether a request has an `Idempotency-Key`, valid or not. */
export function hasKey({ req }: RequestContext): boolean {
  return HEADER in req.headers;
}

/**
 * A request by its key (draft-ietf-httpapi-idempotency-key-header-07). The same request has the same method, path, query and body;
 * keys of different callers have nothing to do with each other. Throws `idempotency_key_invalid`.
 */
export async function keyedRequestOf(ctx: RequestContext): Promise<KeyedRequest> {
  const { req, state } = ctx;
  const key = parseKey(String(req.headers[HEADER]));
  const { actor, service } = state;
  const caller = service === undefined ? `account:${actor?.id}` : `service-token:${service.id}`;
  // Once for all replays of the unit of work: an upload may be large.
  state.fingerprint ??= await fingerprintOf(ctx);
  return {
    digest: keyDigest(caller, key),
    fingerprint: state.fingerprint,
    accountId: actor?.id ?? null,
  };
}

/** The digest of a key of a caller: `account:<id>` or `service-token:<id>`. */
export function keyDigest(caller: string, key: string): string {
  return hash('sha256', `${caller}\n${key}`, 'hex');
}

function parseKey(header: string): string {
  const quoted = QUOTED.exec(header)?.[1]?.replace(/\\(.)/g, '$1');
  const key = quoted ?? BARE.exec(header)?.[0] ?? '';
  if (key === '' || key.length > MAX_LENGTH) throw refusals.idempotencyKeyInvalid();
  return key;
}

async function fingerprintOf({ method, path, querystring, state }: RequestContext): Promise<string> {
  const { body, upload } = state;
  // The router takes both for one path.
  const bare = path.replace(/\/$/, '');
  const digest = createHash('sha256').update(JSON.stringify([method, bare, querystring, body]));
  if (upload !== undefined) {
    digest.update(JSON.stringify([upload.type, upload.charset]));
    for await (const bytes of upload.bytes) digest.update(bytes);
  }
  return digest.digest('hex');
}
