import { hkdfSync } from 'node:crypto';
import { base64url, calculateJwkThumbprint, jwtDecrypt } from 'jose';
import { claimOptions } from './claims.ts';
import { checkWithEach, type KeyRing } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The names of the Auth.js 5 session cookie, over HTTPS and over HTTP. */
export const AUTHJS_COOKIES: readonly string[] = ['__Secure-authjs.session-token', 'authjs.session-token'];

/** The issuer of every session: sessions name none. */
export const AUTHJS_ISSUER = 'authjs';

/** The content encryptions that Auth.js decrypts, with the key length in bytes and the hash that makes the `kid`. */
const ENCRYPTIONS = [
  { enc: 'A256CBC-HS512', length: 64, digest: 'sha512' },
  { enc: 'A256GCM', length: 32, digest: 'sha256' },
] as const;

/** A key that Auth.js derives from a secret for a cookie (`@auth/core`, `jwt.js`). */
interface SessionKey {
  readonly enc: string;
  readonly kid: string;
  readonly bytes: Uint8Array;
}

/**
 * The source of Auth.js 5 session tokens, which are encrypted under a key derived from a secret and the cookie name.
 * Derives all keys once. A token's `kid`, which Auth.js always sets, selects its key. `now` is the clock.
 */
export async function authjsSource(
  ring: KeyRing,
  { cookieNames, emailClaim, now }: { cookieNames: readonly string[]; emailClaim: string; now: () => Date },
): Promise<TokenSource> {
  const keys = await Promise.all(
    ring.flatMap((secret) => cookieNames.flatMap((cookieName) => deriveKeys(secret, cookieName))),
  );
  return {
    emailClaim,
    issuerOf: () => AUTHJS_ISSUER,
    check(token, { enc, kid }) {
      const candidates = keys.filter((key) => key.enc === enc && (kid === undefined || key.kid === kid));
      return checkWithEach(candidates, ({ bytes }) =>
        jwtDecrypt(token, bytes, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ENCRYPTIONS.map(({ enc }) => enc),
          ...claimOptions(now()),
        }),
      );
    },
  };
}

function deriveKeys(secret: string, cookieName: string): Promise<SessionKey>[] {
  return ENCRYPTIONS.map(async ({ enc, length, digest }) => {
    const info = `Auth.js Generated Encryption Key (${cookieName})`;
    const bytes = new Uint8Array(hkdfSync('sha256', secret, cookieName, info, length));
    const kid = await calculateJwkThumbprint({ kty: 'oct', k: base64url.encode(bytes) }, digest);
    return { enc, kid, bytes };
  });
}
