import { errors, type JWTPayload } from 'jose';
import { developmentSecret } from './development-secret.ts';
import { asInvalidToken, InvalidToken } from './token.ts';

/** The secrets that verify tokens, newest first. The first one signs. */
export type KeyRing = readonly [newest: string, ...older: string[]];

/** The settings of a {@link keyRing}. */
export interface KeyRingSettings
  extends Readonly<Record<'secret' | 'secret1' | 'secret2' | 'secret3', string | null>> {
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  readonly issuers: readonly unknown[];
}

/** The configured secrets, newest first, in the order of Auth.js: the highest number is the newest, no number the oldest. */
export function configuredRing({
  secret,
  secret1,
  secret2,
  secret3,
}: Pick<KeyRingSettings, 'secret' | 'secret1' | 'secret2' | 'secret3'>): readonly string[] {
  return [secret3, secret2, secret1, secret].filter((one) => one !== null);
}

/**
 * The ring of the {@link configuredRing}. Without configured secrets, it is empty where issuers sign people in, and holds the development secret otherwise. Throws the
 * errors of {@link developmentSecret}.
 */
export async function keyRing(settings: KeyRingSettings, dataDir: string): Promise<KeyRing | readonly []> {
  const { issuer, jwksUrl, issuers } = settings;
  const [newest, ...older] = configuredRing(settings);
  if (newest !== undefined) return [newest, ...older];
  const hasIssuer = issuer !== null || jwksUrl !== null || issuers.length > 0;
  return hasIssuer ? [] : [await developmentSecret(dataDir)];
}

/**
 * Checks a token with one key after the other until one matches.
 * @throws {InvalidToken} if no key matches, or if one matches and the claims are invalid.
 */
export async function checkWithEach<Key>(
  keys: readonly Key[],
  check: (key: Key) => Promise<{ payload: JWTPayload }>,
): Promise<JWTPayload> {
  let refusal: unknown = new InvalidToken('no configured key matches the token');
  for (const key of keys) {
    try {
      return (await check(key)).payload;
    } catch (error) {
      refusal = error;
      const isWrongKey =
        error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWEDecryptionFailed;
      if (!isWrongKey) break;
    }
  }
  throw asInvalidToken(refusal);
}
