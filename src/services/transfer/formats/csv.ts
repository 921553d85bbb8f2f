import type { InputError } from '../../../domain/refusal.ts';
import { SHOWN_FIELDS } from '../../../domain/user.ts';
import { cellOf, cellsOf, NO_VALUE, unmasked } from './cells.ts';
import { type Format, type Line, SEPARATORS } from './format.ts';
import { type Header, headerOf, type WrongHeader } from './header.ts';
import { parseJson } from './json.ts';
import { linesOf, type RawLine, textOf } from './lines.ts';

/** Excel's line before the header line, which names the separator: a tab, or a sign of ASCII. */
const DECLARATION = /^"?sep=([\t!#-/:-@[-\x60{-~])"?$/i;

/** A row above the header line, whose separator is not known yet. */
const EMPTY_ROW = /^[\s,;"]*$/;

/**
 * Comma-separated values (RFC 4180), with a header line that names the columns in any order; a semicolon or a tab may stand for
 * the comma. Preferences are JSON in their cell. An empty cell means a field that is not given, and {@link NO_VALUE} none.
 */
export const csv: Format = {
  mediaType: 'text/csv',
  extension: 'csv',
  extensions: ['csv', 'tsv', 'txt'],
  writer({ separator = 'comma', bom = false } = {}) {
    const between = SEPARATORS[separator];
    return {
      head: `${bom ? '\uFEFF' : ''}${SHOWN_FIELDS.join(between)}\r\n`,
      write: (account) => `${SHOWN_FIELDS.map((column) => cellOf(account[column])).join(between)}\r\n`,
    };
  },
  async *read(bytes, charset) {
    const cells = { separators: Object.values(SEPARATORS).join('') };
    let header: Header | undefined;
    for await (const raw of linesOf(bytes, { charset, cells })) {
      const { number } = raw;
      const result = textOf(raw);
      if ('fault' in result) {
        // Without a header line, no line has a meaning.
        const isFatal = header === undefined;
        yield { number, faults: [{ path: '', message: result.fault }], isFatal };
        if (isFatal) return;
      } else if (header !== undefined) {
        const line = lineOf(raw, result.text, header, cells.separators);
        if (line !== undefined) yield line;
      } else if (number === 1 && DECLARATION.test(result.text)) {
        cells.separators = DECLARATION.exec(result.text)?.[1] ?? '';
      } else if (!EMPTY_ROW.test(result.text)) {
        const sniffed = sniff(result.text, cells.separators);
        if ('faults' in sniffed) return yield { number, ...sniffed, isFatal: true };
        header = sniffed;
        cells.separators = sniffed.separator;
        yield { number, columns: header.columns, ignoredColumns: header.ignoredColumns };
      }
    }
    if (header !== undefined) return;
    const message = 'The file is empty: its first line must name the columns.';
    yield { number: 1, faults: [{ path: '', message }], isFatal: true };
  },
};

/** Microsoft Entra's user name of a guest, which has their own address in it: `ada_example.org#EXT#@contoso.onmicrosoft.com`. */
const GUEST = /^(.+)_([^_@]+)#EXT#@[^@]+$/i;

const MISQUOTED: InputError = {
  path: '',
  message: 'Quote the whole cell, and double each quote inside of it.',
};

/** Finds the separator of a header line: the one with an email column, or else with the most columns. */
function sniff(text: string, separators: string): (Header & { separator: string }) | WrongHeader {
  const candidates = [...separators]
    .map((separator) => ({ separator, cells: cellsOf(text, separator) ?? [] }))
    .sort((a, b) => b.cells.length - a.cells.length);
  let wrong: WrongHeader | undefined;
  for (const { separator, cells } of candidates) {
    if (cells.length === 0) continue;
    const header = headerOf(cells);
    if (!('faults' in header)) return { ...header, separator };
    wrong ??= header;
  }
  return wrong ?? { faults: [MISQUOTED] };
}

function lineOf(
  { number, bytes }: RawLine,
  text: string,
  header: Header,
  separator: string,
): Line | undefined {
  const cells = cellsOf(text, separator);
  if (cells === undefined) return { number, faults: [MISQUOTED] };
  if (cells.every(isBlank)) return undefined;
  // Spreadsheets leave out empty cells at the end of a line, and add some.
  if (cells.findLastIndex((cell) => !isBlank(cell)) >= header.width) {
    const message = `The header line has ${header.width} columns, and this line has ${cells.length}.`;
    return { number, faults: [{ path: '', message }] };
  }
  return { number, bytes: bytes?.length ?? 0, ...recordOf(header, cells) };
}

function recordOf(
  { email, name, fields }: Header,
  cells: readonly string[],
): { value: unknown } | { faults: readonly InputError[] } {
  const given = (columns: readonly number[]) =>
    columns.map((column) => cells[column] ?? '').filter((cell) => !isBlank(cell));
  const [address] = given(email);
  if (address === undefined) return { faults: [{ path: 'email', message: 'The email is missing.' }] };
  const value: Record<string, unknown> = { email: unmasked(address).replace(GUEST, '$1@$2') };
  for (const columns of name) {
    const parts = given(columns);
    if (parts.length === 0) continue;
    const values = parts.filter((part) => part !== NO_VALUE).map(unmasked);
    value['name'] = values.length === 0 ? null : values.join(' ');
    break;
  }
  for (const [field, column] of fields) {
    const cell = (cells[column] ?? '').trim();
    if (cell === '') continue;
    if (field !== 'preferences') value[field] = cell === NO_VALUE ? null : unmasked(cell);
    else {
      const parsed = cell === NO_VALUE ? { value: {} } : parseJson(cell, field);
      if ('faults' in parsed) return parsed;
      value[field] = parsed.value;
    }
  }
  return { value };
}

function isBlank(text: string): boolean {
  return text === '' || text.trim() === '';
}
