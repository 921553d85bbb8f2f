import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';

/** A position in a list: the values of the sort columns in the last row of a page. */
export type Position = readonly (string | number)[];

/** Seals positions into cursors and opens them. */
export interface CursorCodec {
  /** Seals a position into an opaque, URL-safe text. It is valid only for `scope`: the list, its order and filters, as JSON. */
  seal(position: Position, scope: unknown): string;
  /** The position in a cursor; `undefined` unless one of our secrets sealed it for exactly this scope. */
  open(cursor: string, scope: unknown): Position | undefined;
}

/** Half of HMAC-SHA-256's 32 bytes (RFC 2104, section 5, allows this). A wrong guess reveals only that it is wrong. */
const MAC_BYTES = 16;

/** Longer than any real cursor: the longest holds an email of 255 characters with 4 bytes each. */
const MAX_LENGTH = 2048;

/**
 * A cursor codec with keys derived from the secrets (HKDF, RFC 5869). The newest secret seals; every secret opens. So
 * cursors survive restarts and secret rotation, and every replica accepts the cursors of the others.
 */
export function cursorCodec(newest: string, ...older: readonly string[]): CursorCodec {
  const deriveKey = (secret: string) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', 'rollcall: cursors of lists', 32)));
  const newestKey = deriveKey(newest);
  const keys = [newestKey, ...older.map(deriveKey)];
  // JSON contains no bare newline, so the scope cannot run into the position.
  const computeMac = (key: KeyObject, payload: Buffer, scope: unknown) =>
    createHmac('sha256', key)
      .update(`${JSON.stringify(scope)}\n`)
      .update(payload)
      .digest()
      .subarray(0, MAC_BYTES);
  return {
    seal(position, scope) {
      const payload = Buffer.from(JSON.stringify(position));
      return Buffer.concat([computeMac(newestKey, payload, scope), payload]).toString('base64url');
    },
    open(cursor, scope) {
      if (cursor.length > MAX_LENGTH) return undefined;
      const bytes = Buffer.from(cursor, 'base64url');
      // The decoder ignores invalid characters and padding bits, which would give one cursor many forms.
      if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== cursor) return undefined;
      const payload = bytes.subarray(MAC_BYTES);
      const mac = bytes.subarray(0, MAC_BYTES);
      const isOurs = keys.some((key) => timingSafeEqual(mac, computeMac(key, payload, scope)));
      return isOurs ? JSON.parse(payload.toString()) : undefined;
    },
  };
}
