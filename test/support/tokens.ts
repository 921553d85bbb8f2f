import { createHmac } from 'node:crypto';
import { SECRET } from './app.ts';

const HASHES = new Map([
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
]);

/** A token's header and claims, and the secret that it is signed with. */
export interface Forgery {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly secret?: string | Buffer;
}

/**
 * Makes a token by hand, so that it can be wrong in ways in which no library makes one. Without changes it is a good one
 * of `ada@example.com`; a header or claim that is `undefined` is left out. An `alg` that is no HMAC gets HS256's signature.
 */
export function forge({ header, claims, secret = SECRET }: Forgery = {}): string {
  const full = { alg: 'HS256', ...header };
  const signed = `${part(full)}.${part({ email: 'ada@example.com', exp: inSeconds(3600), ...claims })}`;
  const hash = HASHES.get(full.alg) ?? 'sha256';
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

/** One part of a token. */
export function part(content: unknown): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

/** A time as tokens have it, so many seconds from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
