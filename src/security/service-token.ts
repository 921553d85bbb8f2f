import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** By which secret scanners know it. */
const PREFIX = 'rc_';

/** 43 characters carry the 32 random bytes, 6 the checksum. */
const FORM = /^rc_([\w-]{43})([\w-]{6})$/;

/** A new token, and the digest by which it will be known. */
export interface MintedToken {
  /** To be shown once and kept nowhere. */
  readonly token: string;
  readonly digest: string;
}

/**
 * Makes a token of 256 random bits. Its prefix and its checksum let a scanner of secrets tell it from anything else
 * without asking us.
 */
export function mintServiceToken(): MintedToken {
  const random = randomBytes(32).toString('base64url');
  const token = PREFIX + random + checksumOf(random);
  return { token, digest: digestOf(token) };
}

/** Whether a bearer token says that it is one of these. */
export function isServiceToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/**
 * The digest (SHA-256, in hexadecimal) of a token; `undefined` for what cannot be one, which costs no look-up. A plain
 * digest is enough: nobody guesses 256 bits, however fast.
 */
export function serviceTokenDigest(token: string): string | undefined {
  const [, random = '', checksum] = FORM.exec(token) ?? [];
  return checksum === checksumOf(random) ? digestOf(token) : undefined;
}

function checksumOf(random: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(PREFIX + random));
  return bytes.toString('base64url');
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
