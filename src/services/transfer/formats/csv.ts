import type { InputError } from '../../../domain/refusal.ts';
import { COLUMNS } from '../../../domain/user.ts';
import type { Format, Line } from './format.ts';
import { parseJson } from './json.ts';
import { linesOf, textOf } from './lines.ts';

/**
 * A text that a spreadsheet would run as a formula, with any apostrophes before it: the export adds an apostrophe and the import
 * removes one, so that every text comes back unchanged
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
const FORMULA = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/** A cell, quoted or not, and its separator (RFC 4180, section 2). */
const CELL = /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y;

/**
 * Comma-separated values (RFC 4180) in UTF-8, with a header line that names the columns in any order. Preferences are JSON in
 * their cell. An empty cell means no name in the column `name`, and a field not given in any other column.
 */
export const csv: Format = {
  mediaType: 'text/csv',
  extension: 'csv',
  head: `${COLUMNS.join()}\r\n`,
  write: (account) => `${COLUMNS.map((column) => cellOf(account[column])).join()}\r\n`,
  async *read(bytes) {
    let columns: readonly string[] | undefined;
    for await (const raw of linesOf(bytes, { quotes: true })) {
      const { number } = raw;
      const result = textOf(raw);
      const cells = 'text' in result ? cellsOf(result.text) : undefined;
      const faults: InputError[] = [];
      if ('fault' in result) faults.push({ path: '', message: result.fault });
      else if (cells === undefined)
        faults.push({
          path: '',
          message: 'Quote the whole cell, and double each quote inside of it.',
        });
      else if (columns === undefined) faults.push(...faultsOfHeader(cells));

      if (columns === undefined) {
        // Without a header no line has a meaning.
        if (faults.length > 0) return yield { number, faults };
        columns = cells;
      } else if (faults.length > 0) {
        yield { number, faults };
      } else if (cells !== undefined && !isBlank(cells)) {
        yield lineOf(number, columns, cells);
      }
    }
  },
};

function cellOf(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '');
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function cellsOf(line: string): string[] | undefined {
  const cells: string[] = [];
  CELL.lastIndex = 0;
  for (;;) {
    const match = CELL.exec(line);
    if (match === null) return undefined;
    const [, quoted, bare = '', end] = match;
    const text = quoted?.replaceAll('""', '"') ?? bare;
    cells.push(FORMULA.test(text) && text.startsWith("'") ? text.slice(1) : text);
    if (end === '') return cells;
  }
}

function faultsOfHeader(names: readonly string[]): InputError[] {
  const known: readonly string[] = COLUMNS;
  const faults = names.flatMap((name, at): InputError[] => {
    if (!known.includes(name)) return [{ path: name, message: 'This column does not exist.' }];
    return names.indexOf(name) < at ? [{ path: name, message: 'This column occurs twice.' }] : [];
  });
  return names.includes('email')
    ? faults
    : [...faults, { path: 'email', message: 'This column is missing.' }];
}

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0] === '';
}

function lineOf(number: number, columns: readonly string[], cells: readonly string[]): Line {
  if (cells.length !== columns.length) {
    const message = `The header line has ${columns.length} columns, and this line has ${cells.length}.`;
    return { number, faults: [{ path: '', message }] };
  }
  const value: Record<string, unknown> = {};
  for (const [at, column] of columns.entries()) {
    const cell = cells[at] ?? '';
    if (column === 'name') value[column] = cell === '' ? null : cell;
    else if (column === 'preferences' && cell !== '') {
      const parsed = parseJson(cell, column);
      if ('faults' in parsed) return { number, ...parsed };
      value[column] = parsed.value;
    } else if (cell !== '') value[column] = cell;
  }
  return { number, value };
}
