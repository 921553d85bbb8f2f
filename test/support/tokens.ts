import { createHmac } from 'node:crypto';
import { SECRET } from './app.ts';

const HASHES = new Map([
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
]);

/** The header, claims and secret of a forged token. */
export interface Forgery {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly secret?: string | Buffer;
}

/**
 * Builds a token by hand, so that it can be wrong in ways that no library allows. By default it is a valid token for
 * `ada@example.com`; a header or claim that is `undefined` is left out. An `alg` other than an HMAC gets HS256's signature.
 */
export function forge({ header, claims, secret = SECRET }: Forgery = {}): string {
  const full = { alg: 'HS256', ...header };
  const signed = `${part(full)}.${part({ email: 'ada@example.com', exp: inSeconds(3600), ...claims })}`;
  const hash = HASHES.get(full.alg) ?? 'sha256';
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

/** Encodes one part of a token. */
export function part(content: unknown): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

/** The time this many seconds from now, in seconds since 1970 as in tokens. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
