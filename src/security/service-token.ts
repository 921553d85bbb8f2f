import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Lets secret scanners recognise a token. */
const PREFIX = 'rc_';

/** The prefix, 43 characters for the 32 random bytes, and 6 for the checksum. */
const FORM = /^rc_([\w-]{43})([\w-]{6})$/;

/** A new token and the digest that identifies it from now on. */
export interface MintedToken {
  /** Show it once and store it nowhere. */
  readonly token: string;
  readonly digest: string;
}

/**
 * Mints a token of 256 random bits. Its prefix and checksum let secret scanners recognise it offline.
 */
export function mintServiceToken(): MintedToken {
  const random = randomBytes(32).toString('base64url');
  const token = PREFIX + random + computeChecksum(random);
  return { token, digest: computeDigest(token) };
}

/** Whether a bearer token claims to be a service token. */
export function isServiceToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/**
 * The SHA-256 digest of a token, in hexadecimal; `undefined` if the text is not a well-formed token, which saves a
 * look-up. A plain digest is enough, because 256 random bits cannot be guessed.
 */
export function serviceTokenDigest(token: string): string | undefined {
  const [, random = '', checksum] = FORM.exec(token) ?? [];
  return checksum === computeChecksum(random) ? computeDigest(token) : undefined;
}

function computeChecksum(random: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(PREFIX + random));
  return bytes.toString('base64url');
}

function computeDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
