import { isDeepStrictEqual } from 'node:util';

/** Marks a number: no text in PostgreSQL contains it. */
const MARK = '\0';

/** A string with its quotes, or a number. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** Parses JSON and keeps each number as it is written: 1 and 1.0 differ. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"\\u0000${token}"`)));
}

/** Serializes what {@link parseExactly} returned, with each number as JavaScript writes it. */
export function rewritten(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'string' && inner.startsWith(MARK) ? Number(inner.slice(1)) : inner,
  );
}

/** Whether two values are equal, however their numbers are written. */
export function isEqualJson(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b) || isDeepStrictEqual(JSON.parse(rewritten(a)), JSON.parse(rewritten(b)));
}
