import { hkdfSync } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';

/** What a sign-in at a provider is continued with when the browser comes back. */
export interface PendingSignIn {
  /** Ties the answer of the provider to this browser (RFC 6749, section 10.12). */
  readonly state: string;
  /** Ties the ID token to this sign-in (OpenID Connect Core, section 3.1.2.1). */
  readonly nonce: string;
  /** The verifier of PKCE (RFC 7636), which only we know. */
  readonly codeVerifier: string;
  /** Where the browser goes afterwards: a path of the console. */
  readonly returnTo: string;
  /** The digest of the session that the browser had: a cookie of a session does not come back from another site. */
  readonly replaces?: string | undefined;
}

/** How long somebody may take at the provider, in seconds. */
export const SIGN_IN_SECONDS = 600;

/** Seals sign-ins into a text that only we can read, for a cookie, and opens it. */
export interface SignInSealer {
  seal(pending: PendingSignIn): Promise<string>;
  /** The sign-in in a text; `undefined` unless one of our secrets sealed it within the last {@link SIGN_IN_SECONDS}. */
  open(text: string): Promise<PendingSignIn | undefined>;
}

const ALGORITHMS = { alg: 'dir', enc: 'A256GCM' } as const;

/**
 * Creates the sealer, with keys derived from the secrets (HKDF, RFC 5869). The newest secret seals and every secret opens, so that any
 * process continues what another one began. `now` is the clock.
 */
export function signInSealer(
  [newest, ...older]: readonly [string, ...string[]],
  now: () => Date = () => new Date(),
): SignInSealer {
  const deriveKey = (secret: string) =>
    new Uint8Array(hkdfSync('sha256', secret, '', 'rollcall: sign-ins to the console', 32));
  const newestKey = deriveKey(newest);
  const keys = [newestKey, ...older.map(deriveKey)];
  return {
    seal: (pending) =>
      new EncryptJWT({ ...pending })
        .setProtectedHeader(ALGORITHMS)
        .setExpirationTime(Math.floor(now().getTime() / 1000) + SIGN_IN_SECONDS)
        .encrypt(newestKey),
    async open(text) {
      for (const key of keys) {
        const options = {
          keyManagementAlgorithms: [ALGORITHMS.alg],
          contentEncryptionAlgorithms: [ALGORITHMS.enc],
          requiredClaims: ['exp'],
          currentDate: now(),
        };
        const opened = await jwtDecrypt<PendingSignIn>(text, key, options).catch(() => undefined);
        if (opened !== undefined) return opened.payload;
      }
      return undefined;
    },
  };
}
