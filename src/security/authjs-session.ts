import { hkdfSync } from 'node:crypto';
import { base64url, calculateJwkThumbprint, jwtDecrypt } from 'jose';
import { claimOptions } from './claims.ts';
import type { EmailRules } from './email-claims.ts';
import { checkWithEach } from './key-ring.ts';
import type { TokenSource } from './token.ts';

/** The names of the session cookie of Auth.js 5 and of NextAuth.js 4, each over HTTPS and over HTTP. */
export const AUTHJS_COOKIES: readonly string[] = [
  '__Secure-authjs.session-token',
  'authjs.session-token',
  '__Secure-next-auth.session-token',
  'next-auth.session-token',
];

/** The issuer of every session: sessions name none. */
export const AUTHJS_ISSUER = 'authjs';

/** The content encryptions that Auth.js decrypts, with the key length in bytes and the hash that makes the `kid`. */
const ENCRYPTIONS = [
  { enc: 'A256CBC-HS512', length: 64, digest: 'sha512' },
  { enc: 'A256GCM', length: 32, digest: 'sha256' },
] as const;

/** A key that Auth.js derives from a secret: 5 for a cookie (`@auth/core`, `jwt.js`), 4 for all (`next-auth`, `jwt/index.js`). */
interface SessionKey {
  readonly enc: string;
  /** 4 sets none. */
  readonly kid?: string;
  readonly bytes: Uint8Array;
}

/**
 * The source of Auth.js session tokens, which are encrypted under a key derived from a secret and, since 5, the cookie name.
 * Derives all keys once. A token's `kid`, which Auth.js 5 always sets, selects its key. `now` is the clock.
 */
export async function authjsSource(
  ring: readonly string[],
  { cookieNames, emails, now }: { cookieNames: readonly string[]; emails: EmailRules; now: () => Date },
): Promise<TokenSource> {
  const keys: SessionKey[] = [
    ...(await Promise.all(ring.flatMap((secret) => cookieNames.flatMap((name) => deriveKeys(secret, name))))),
    ...ring.map(nextAuthKey),
  ];
  return {
    emails,
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

function nextAuthKey(secret: string): SessionKey {
  const bytes = hkdfSync('sha256', secret, '', 'NextAuth.js Generated Encryption Key', 32);
  return { enc: 'A256GCM', bytes: new Uint8Array(bytes) };
}

function deriveKeys(secret: string, cookieName: string): Promise<SessionKey>[] {
  return ENCRYPTIONS.map(async ({ enc, length, digest }) => {
    const info = `Auth.js Generated Encryption Key (${cookieName})`;
    const bytes = new Uint8Array(hkdfSync('sha256', secret, cookieName, info, length));
    const kid = await calculateJwkThumbprint({ kty: 'oct', k: base64url.encode(bytes) }, digest);
    return { enc, kid, bytes };
  });
}
