import type { webcrypto } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { claimedIssuer, claimOptions } from './claims.ts';
import { checkWithEach, type KeyRing } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The only algorithm of this source, whatever `alg` an attacker chooses (RFC 8725, section 3.1). */
export const HS256 = 'HS256';

/** The issuer of tokens without an `iss` that are signed with one of our secrets. */
export const SECRET_ISSUER = 'secret';

/** The source of JSON Web Tokens (RFC 7519) signed with HS256 and one of our secrets. `now` is the clock. */
export async function hs256Source(
  ring: KeyRing,
  { emailClaim, now }: { emailClaim: string; now: () => Date },
): Promise<TokenSource> {
  const keys = await Promise.all(ring.map(importSecret));
  return {
    emailClaim,
    issuerOf: (claims) => claimedIssuer(claims, SECRET_ISSUER),
    check: (token) =>
      checkWithEach(keys, (key) => jwtVerify(token, key, { algorithms: [HS256], ...claimOptions(now()) })),
  };
}

/**
 * Signs a token for `email` that expires after `ttl`, a jose time span such as `30s`, `15m`, `1h` or `7 days`.
 * @throws {TypeError} if `ttl` is not a time span.
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

// Imported once: given raw bytes, jose would import them again for each token.
function importSecret(secret: string): Promise<webcrypto.CryptoKey> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', Buffer.from(secret), hmac, false, ['sign', 'verify']);
}
