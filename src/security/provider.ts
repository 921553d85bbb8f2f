import type { JSONWebKeySet } from 'jose';

/** Where an identity provider's keys are to be had. */
export interface KeysLocation {
  /** As its discovery document and the `iss` claim have it, to the letter. */
  readonly issuer: string | null;
  /** `null`: the issuer's discovery document names it. */
  readonly jwksUrl: string | null;
}

/** How long an answer may take, discovery and keys together. */
const TIMEOUT_MS = 5_000;

/** More than any provider has to say. */
const MAX_BYTES = 128 * 1024;

/**
 * Asks an identity provider for its keys, by way of its discovery document (OpenID Connect Discovery 1.0, section 4) where
 * no URL is given. Throws an `Error` whose message says, for the log, why they cannot be had; what they are is not looked at.
 */
export async function fetchKeys({ issuer, jwksUrl }: KeysLocation): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return (await fetchJson(jwksUrl ?? (await discover(issuer ?? '', signal)), signal)) as JSONWebKeySet;
}

/** A URL as it may be logged: there are providers that want a key in its query. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*/s, '');
}

async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchJson(url, signal);
  const { issuer: name, jwks_uri: jwksUri } = Object(document) as Record<string, unknown>;
  // Or one issuer could speak for another (section 4.3).
  if (name !== issuer) throw new Error(`${url}: this is the document of another issuer`);
  const jwksUrl = typeof jwksUri === 'string' ? URL.parse(jwksUri) : null;
  // In the clear only where the document came in the clear.
  const isSafe = jwksUrl?.protocol === 'https:' || jwksUrl?.protocol === new URL(issuer).protocol;
  if (jwksUrl === null || !isSafe) throw new Error(`${url}: there is no "jwks_uri" that will do`);
  return jwksUrl.href;
}

async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(url, {
      signal,
      // Whoever is asked is who was configured.
      redirect: 'error',
      headers: { Accept: 'application/json' },
    });
    // Of an answer that is none of ours, too: what is not read holds the connection.
    const body = await read(response);
    if (response.status !== 200) throw new Error(`the status is ${response.status}`);
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new Error(`${withoutQuery(url)}: ${cause?.message || cause?.code || message}`, { cause: error });
  }
}

async function read({ body }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`these are more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
