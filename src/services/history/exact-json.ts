import { isDeepStrictEqual } from 'node:util';

/** What marks a number: no text in PostgreSQL has it. */
const MARK = '\0';

/** A text, quotes included, or a number. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** What a text of JSON says, with each number as it is written: 1 and 1.0 are two. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"\\u0000${token}"`)));
}

/** The same as JSON, with each number as JavaScript writes it. */
export function rewritten(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'string' && inner.startsWith(MARK) ? Number(inner.slice(1)) : inner,
  );
}

/** Whether both say the same, however their numbers are written. */
export function saysTheSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b) || isDeepStrictEqual(JSON.parse(rewritten(a)), JSON.parse(rewritten(b)));
}
