import { hash, randomBytes } from 'node:crypto';

/** A new secret of the console, of a session or of a link that signs in, and the digest that identifies it from now on. */
export interface MintedSecret {
  /** Hand it out once and store it nowhere. */
  readonly secret: string;
  readonly digest: string;
}

/** 32 random bytes. */
const FORM = /^[\w-]{43}$/;

/** Mints a secret of 256 random bits. */
export function mintConsoleSecret(): MintedSecret {
  const secret = randomBytes(32).toString('base64url');
  return { secret, digest: computeDigest(secret) };
}

/**
 * The SHA-256 digest of a secret, in hexadecimal; `undefined` if the text is not a well-formed secret, which saves a look-up. A plain
 * digest is enough, because 256 random bits cannot be guessed.
 */
export function consoleSecretDigest(text: string): string | undefined {
  return FORM.test(text) ? computeDigest(text) : undefined;
}

function computeDigest(secret: string): string {
  return hash('sha256', secret, 'hex');
}
