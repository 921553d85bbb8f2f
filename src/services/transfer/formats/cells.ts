import { SEPARATORS } from './format.ts';

/** The cell that stands for no value: it erases one in an upsert, where an empty cell leaves it as it is. */
export const NO_VALUE = '\\N';

/**
 * Where a spreadsheet would begin a formula (https://owasp.org/www-community/attacks/CSV_Injection), and before a text that
 * reads like {@link NO_VALUE}; any apostrophes come first. A reader that splits at other separators, or that does not know
 * quotes, sees a cell begin behind each separator and each line end as well.
 */
const MASKED = /(?<=^|[,;\t\r\n])(?='*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])|^(?='*(?:[\t\r\n]|\\N$))/g;

/** The apostrophe that {@link MASKED} got. */
const MASK = /(?<=^|[,;\t\r\n])'(?='*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])|^'(?='*(?:[\t\r\n]|\\N$))/g;

/** The same in JSON, which may write each character by its code. Numbers stay: they are no formulas. */
const MASKED_JSON = /(?<=[,;])(?:[=+@\uFF1D\uFF0B\uFF0D\uFF20]|-(?!\d+(?:\.\d+)?(?:e[+-]?\d+)?[,\]}]))/g;

const NEEDS_QUOTES = /[",;\t\r\n]/;

/** Puts an apostrophe where a spreadsheet would begin a formula. {@link unmasked} removes it, so every text comes back. */
export function masked(text: string): string {
  return text.replace(MASKED, "'");
}

/** Removes one apostrophe wherever {@link masked} puts one. */
export function unmasked(text: string): string {
  return text.includes("'") ? text.replace(MASK, '') : text;
}

/** The cell for a value: an object as JSON, null as {@link NO_VALUE}. */
export function cellOf(value: unknown): string {
  if (value === null) return NO_VALUE;
  const text =
    typeof value === 'object'
      ? JSON.stringify(value).replace(MASKED_JSON, (character) => `\\u${hex(character, 4)}`)
      : masked(String(value));
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Splits a line into cells (RFC 4180, section 2). Returns `undefined` where a quote is in the wrong place. */
export function cellsOf(line: string, separator: string): string[] | undefined {
  if (!line.includes('"')) return line.split(separator);
  const cells: string[] = [];
  const pattern = patternOf(separator);
  pattern.lastIndex = 0;
  for (;;) {
    const match = pattern.exec(line);
    if (match === null) return undefined;
    const [, quoted, bare = '', end] = match;
    cells.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === '') return cells;
  }
}

const PATTERNS = new Map(
  Object.values(SEPARATORS).map((separator) => [separator as string, cell(separator)]),
);

function patternOf(separator: string): RegExp {
  return PATTERNS.get(separator) ?? cell(separator);
}

/** The pattern of a cell, quoted or not, with its separator. */
function cell(separator: string): RegExp {
  const code = `\\x${hex(separator, 2)}`;
  return new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"${code}]*))(${code}|$)`, 'y');
}

function hex(character: string, length: number): string {
  return character.charCodeAt(0).toString(16).padStart(length, '0');
}
