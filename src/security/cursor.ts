import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Where a page of a list ended: the values of its order's columns in the last row. */
export type Position = readonly (string | number)[];

/** Makes cursors, and knows its own again. */
export interface CursorCodec {
  /** The position as an opaque text for URLs, good for this scope alone: the list, its order, its filters, as JSON. */
  seal(position: Position, scope: unknown): string;
  /** The position again; `undefined` for whatever was not sealed under one of our secrets and for this scope, to the byte. */
  open(cursor: string, scope: unknown): Position | undefined;
}

/** Of HMAC-SHA-256's 32 bytes (RFC 2104, section 5, allows half); a guess tells nothing but that it was wrong. */
const MAC_BYTES = 16;

/** Longer than any of ours, whose longest holds an email of 255 characters with 4 bytes each. */
const MAX_LENGTH = 2048;

/**
 * Cursors under keys of their own, which are derived from the secrets (HKDF, RFC 5869): they outlive the process and a
 * change of secrets, and every replica takes those of the others. The newest secret seals.
 */
export function cursorCodec(newest: string, ...older: readonly string[]): CursorCodec {
  const keyOf = (secret: string) =>
    Buffer.from(hkdfSync('sha256', secret, '', 'rollcall: cursors of lists', 32));
  const newestKey = keyOf(newest);
  const keys = [newestKey, ...older.map(keyOf)];
  // JSON has no bare newline, so that the scope cannot run into the position.
  const macOf = (key: Buffer, payload: Buffer, scope: unknown) =>
    createHmac('sha256', key)
      .update(`${JSON.stringify(scope)}\n`)
      .update(payload)
      .digest()
      .subarray(0, MAC_BYTES);
  return {
    seal(position, scope) {
      const payload = Buffer.from(JSON.stringify(position));
      return Buffer.concat([macOf(newestKey, payload, scope), payload]).toString('base64url');
    },
    open(cursor, scope) {
      if (cursor.length > MAX_LENGTH) return undefined;
      const bytes = Buffer.from(cursor, 'base64url');
      // The decoder overlooks what is no base64url, and padding bits: one cursor would have many forms.
      if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== cursor) return undefined;
      const payload = bytes.subarray(MAC_BYTES);
      const mac = bytes.subarray(0, MAC_BYTES);
      const isOurs = keys.some((key) => timingSafeEqual(mac, macOf(key, payload, scope)));
      return isOurs ? JSON.parse(payload.toString()) : undefined;
    },
  };
}
