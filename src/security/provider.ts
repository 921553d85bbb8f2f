import type { JSONWebKeySet } from 'jose';
import type { Dispatcher } from 'undici';
import { DIRECT, type ProxySettings, webClient } from './web-client.ts';

/** Where to fetch the keys of an identity provider. */
export interface KeysLocation {
  /** Must equal the issuer in its discovery document exactly. */
  readonly issuer: string | null;
  /** `null`: taken from the issuer's discovery document. */
  readonly jwksUrl: string | null;
}

/** Time limit for discovery and keys together. */
const TIMEOUT_MS = 5_000;

/** More than any provider sends. */
const MAX_BYTES = 128 * 1024;

/**
 * Fetches the keys of an identity provider. Without `jwksUrl`, finds their URL through the discovery document (OpenID
 * Connect Discovery 1.0, section 4), through the `proxy`. Does not validate the keys.
 * @throws {Error} with the reason, for the log.
 */
export async function fetchKeys(
  { issuer, jwksUrl }: KeysLocation,
  proxy: ProxySettings = DIRECT,
): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const dispatcher = await webClient(proxy);
  const exchange = { signal, dispatcher };
  try {
    const url = jwksUrl ?? (await discover(issuer ?? '', exchange));
    return (await fetchJson(url, exchange)) as JSONWebKeySet;
  } finally {
    // The next fetch is minutes away.
    dispatcher.destroy().catch(() => undefined);
  }
}

interface Exchange {
  readonly signal: AbortSignal;
  readonly dispatcher: Dispatcher;
}

/** Removes the query of a URL before it is logged, because some providers require an API key there. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*/s, '');
}

async function discover(issuer: string, exchange: Exchange): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchJson(url, exchange);
  const { issuer: actual, jwks_uri: jwksUri } = Object(document) as Record<string, unknown>;
  // Otherwise one issuer could impersonate another (section 4.3).
  if (actual !== issuer) throw new Error(`${url}: "issuer" must be ${issuer}`);
  const jwksUrl = typeof jwksUri === 'string' ? URL.parse(jwksUri) : null;
  // Plain http only if the document itself came over plain http.
  const isSafe = jwksUrl?.protocol === 'https:' || jwksUrl?.protocol === new URL(issuer).protocol;
  if (jwksUrl === null || !isSafe) throw new Error(`${url}: "jwks_uri" must be an https URL`);
  return jwksUrl.href;
}

async function fetchJson(url: string, exchange: Exchange): Promise<unknown> {
  const { default: undici } = await import('undici');
  try {
    const response = await undici.fetch(url, {
      ...exchange,
      // Only the configured host may answer.
      redirect: 'error',
      headers: { Accept: 'application/json' },
    });
    // Read error responses too: an unread body keeps the connection.
    const body = await readBounded(response);
    if (response.status !== 200) throw new Error(`the response status is ${response.status}`);
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new Error(`${withoutQuery(url)}: ${cause?.message || cause?.code || message}`, { cause: error });
  }
}

/** The body of a provider's answer. Throws where it is longer than any provider's. */
export async function readBounded({ body }: { body: AsyncIterable<Uint8Array> | null }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`the response is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
