import { hkdfSync } from 'node:crypto';
import { base64url, calculateJwkThumbprint, jwtDecrypt } from 'jose';
import { claimOptions } from './claims.ts';
import { checkWithEach, type KeyRing } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The names that Auth.js 5 gives its session cookie, on HTTPS and without. */
export const AUTHJS_COOKIES: readonly string[] = ['__Secure-authjs.session-token', 'authjs.session-token'];

/** The content encryptions that Auth.js decrypts, each with its key's length in bytes and the hash of its `kid`. */
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
 * The session tokens of Auth.js 5: encrypted under a key that is derived from one of our secrets and the cookie's name.
 * All keys are derived here, once; a token's `kid`, which Auth.js always sets, says which of them is its own. `now` is the
 * clock.
 */
export async function authjsSource(
  ring: KeyRing,
  { cookieNames, emailClaim, now }: { cookieNames: readonly string[]; emailClaim: string; now: () => Date },
): Promise<TokenSource> {
  const keys = await Promise.all(
    ring.flatMap((secret) => cookieNames.flatMap((cookieName) => sessionKeys(secret, cookieName))),
  );
  return {
    emailClaim,
    check(token, { enc, kid }) {
      const named = keys.filter((key) => key.enc === enc && (kid === undefined || key.kid === kid));
      return checkWithEach(named, ({ bytes }) =>
        jwtDecrypt(token, bytes, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ENCRYPTIONS.map(({ enc }) => enc),
          ...claimOptions(now()),
        }),
      );
    },
  };
}

function sessionKeys(secret: string, cookieName: string): Promise<SessionKey>[] {
  return ENCRYPTIONS.map(async ({ enc, length, digest }) => {
    const info = `Auth.js Generated Encryption Key (${cookieName})`;
    const bytes = new Uint8Array(hkdfSync('sha256', secret, cookieName, info, length));
    const kid = await calculateJwkThumbprint({ kty: 'oct', k: base64url.encode(bytes) }, digest);
    return { enc, kid, bytes };
  });
}
