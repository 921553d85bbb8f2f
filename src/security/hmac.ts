import type { webcrypto } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { claimedIssuer, claimOptions } from './claims.ts';
import { type EmailRules, isVouchedFor } from './email-claims.ts';
import { checkWithEach } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The hashes of this source's algorithms, whatever `alg` an attacker chooses (RFC 8725, section 3.1). Libraries choose by key length. */
const HASHES = { HS256: 'SHA-256', HS384: 'SHA-384', HS512: 'SHA-512' } as const;

/** An algorithm of this source. */
type HmacAlgorithm = keyof typeof HASHES;

/** Whether tokens with this `alg` are signed with a secret. */
export function isHmac(alg: string): alg is HmacAlgorithm {
  // Of an untrusted header: it may be anything.
  return typeof alg === 'string' && Object.hasOwn(HASHES, alg);
}

/** The issuer of tokens without an `iss` that are signed with one of our secrets. */
export const SECRET_ISSUER = 'secret';

/** The source of JSON Web Tokens (RFC 7519) signed with an HMAC and one of our secrets. `now` is the clock. */
export async function hmacSource(
  ring: readonly string[],
  { emails, now }: { emails: EmailRules; now: () => Date },
): Promise<TokenSource> {
  const algorithms = Object.keys(HASHES) as HmacAlgorithm[];
  const imported = algorithms.map((alg) => Promise.all(ring.map((secret) => importSecret(secret, alg))));
  const keys = new Map((await Promise.all(imported)).map((each, index) => [algorithms[index], each]));
  return {
    emails,
    issuerOf: (claims) => claimedIssuer(claims, SECRET_ISSUER),
    check: (token, { alg = '' }) =>
      checkWithEach(keys.get(alg as HmacAlgorithm) ?? [], (key) =>
        jwtVerify(token, key, { algorithms: [alg], ...claimOptions(now()) }),
      ),
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
  const word = isVouchedFor(emailClaim) ? {} : { [`${emailClaim}_verified`]: true };
  return new SignJWT({ [emailClaim]: email, ...word })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime(ttl)
    .sign(await importSecret(secret, 'HS256'));
}

// Imported once: given raw bytes, jose would import them again for each token.
function importSecret(secret: string, alg: HmacAlgorithm): Promise<webcrypto.CryptoKey> {
  const hmac = { name: 'HMAC', hash: HASHES[alg] };
  return crypto.subtle.importKey('raw', Buffer.from(secret), hmac, false, ['sign', 'verify']);
}
