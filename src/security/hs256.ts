import type { webcrypto } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { claimOptions } from './claims.ts';
import { checkWithEach, type KeyRing } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The one algorithm of this source: an attacker's choice of `alg` is never followed (RFC 8725, section 3.1). */
export const HS256 = 'HS256';

/** JSON Web Tokens (RFC 7519) signed with HS256 under one of our own secrets. `now` is the clock. */
export async function hs256Source(
  ring: KeyRing,
  { emailClaim, now }: { emailClaim: string; now: () => Date },
): Promise<TokenSource> {
  const keys = await Promise.all(ring.map(importSecret));
  return {
    emailClaim,
    check: (token) =>
      checkWithEach(keys, (key) => jwtVerify(token, key, { algorithms: [HS256], ...claimOptions(now()) })),
  };
}

/**
 * Signs a token that speaks for `email` for as long as `ttl` says, in jose's words for a time span: `30s`, `15m`, `1h`,
 * `7 days`. Throws a `TypeError` for other words.
 */
export async function signHs256(
  secret: string,
  email: string,
  ttl: string,
  emailClaim = 'email',
): Promise<string> {
  return new SignJWT({ [emailClaim]: email })
    .setProtectedHeader({ alg: HS256 })
    .setIssuedAt()
    .setExpirationTime(ttl)
    .sign(await importSecret(secret));
}

// As a CryptoKey, imported once: jose would import bytes anew for each token.
function importSecret(secret: string): Promise<webcrypto.CryptoKey> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', Buffer.from(secret), hmac, false, ['sign', 'verify']);
}
