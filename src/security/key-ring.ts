import { errors, type JWTPayload } from 'jose';
import { developmentSecret } from './development-secret.ts';
import { InvalidToken, refusalOf } from './token.ts';

/** Secrets under which tokens are taken, newest first. The first one signs. */
export type KeyRing = readonly [newest: string, ...older: string[]];

/**
 * The ring of the configured secrets, in Auth.js's order: the one with the highest number is the newest, the one without
 * the oldest. Where none is configured, it is the development secret. Throws what {@link developmentSecret} throws.
 */
export async function keyRing(
  {
    secret,
    secret1,
    secret2,
    secret3,
  }: Readonly<Record<'secret' | 'secret1' | 'secret2' | 'secret3', string | null>>,
  dataDir: string,
): Promise<KeyRing> {
  const [newest, ...older] = [secret3, secret2, secret1, secret].filter((one) => one !== null);
  return newest === undefined ? [await developmentSecret(dataDir)] : [newest, ...older];
}

/**
 * Checks a token with one key after the other, until one fits it. Throws `InvalidToken` where none does, or where it
 * fits and the claims are not as they must be.
 */
export async function checkWithEach<Key>(
  keys: readonly Key[],
  check: (key: Key) => Promise<{ payload: JWTPayload }>,
): Promise<JWTPayload> {
  let refusal: unknown = new InvalidToken('no key of ours is the one that it names');
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
  throw refusalOf(refusal);
}
