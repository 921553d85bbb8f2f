import { isDeepStrictEqual } from 'node:util';

/** No text in PostgreSQL begins with it. */
const MARK = '\0';

const parse = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

/** What a text of JSON says, with each number kept as it is written: 1 and 1.0 are two. */
export function parseExactly(text: string): unknown {
  return parse(text, (_, value, { source }) => (typeof value === 'number' ? `${MARK}${source}` : value));
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
