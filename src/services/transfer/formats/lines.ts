import { setImmediate } from 'node:timers/promises';
import { Decoder } from './decoder.ts';

/** The most bytes of a line: the largest preferences fit easily. */
export const MAX_LINE_BYTES = 128 * 1024;

/** A line as it arrived, in UTF-8, without its end. */
export interface RawLine {
  /** The line's number in the file, from 1; the first one's, where a quoted cell spans several lines. */
  readonly number: number;
  /** `undefined` for more than {@link MAX_LINE_BYTES}. */
  readonly bytes: Buffer | undefined;
  /** Whether a quote was open when the file ended. */
  readonly unclosed: boolean;
  /** The name of the file's charset. */
  readonly charset: string;
  /** Why the file is no text. No line follows. */
  readonly fault?: string | undefined;
}

/** How lines are divided into cells (RFC 4180, section 2). May be changed between two lines. */
export interface CellRules {
  /** Each character that may separate two cells. */
  separators: string;
}

/** How to read lines. */
export interface LineOptions {
  /** A name that `isCharset` knows. Default: UTF-8. */
  readonly charset?: string | undefined;
  /** A line end inside of a quoted cell belongs to the cell, and CR alone ends a line too. Default: LF and CRLF end lines. */
  readonly cells?: CellRules;
}

/** How many lines are read before others get their turn: a chunk of a file can have thousands, and none of them waits. */
const LINES_A_TURN = 500;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;

/** What a byte means outside of quotes. */
const KIND = { other: 0, separator: 1, quote: 2, lf: 3, cr: 4 } as const;

/**
 * Splits bytes into lines, without the empty ones; the last one may lack its end. It keeps at most {@link MAX_LINE_BYTES} of a
 * line.
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { charset, cells }: LineOptions = {},
): AsyncGenerator<RawLine> {
  const decoder = new Decoder(charset);
  let kinds = kindsOf(cells);
  let separators = cells?.separators;
  let kept: Buffer[] = [];
  let length = 0;
  let number = 1;
  let ends = 0;
  let quoted = false;
  // Where a quote may open a cell: at its start, or right after a closing quote. From the start of the chunk.
  let opensAt = 0;
  let isAfterCr = false;
  let turn = 0;

  const keep = (part: Buffer) => {
    if (part.length === 0) return;
    length += part.length;
    if (length <= MAX_LINE_BYTES + 1) kept.push(part);
    else kept = [];
  };
  const finish = (): RawLine => {
    let bytes = length <= MAX_LINE_BYTES + 1 ? joined(kept) : undefined;
    if (cells === undefined && bytes?.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (bytes !== undefined && bytes.length > MAX_LINE_BYTES) bytes = undefined;
    const line = { number, bytes, unclosed: quoted, charset: decoder.charset };
    number += ends;
    kept = [];
    length = ends = 0;
    quoted = false;
    return line;
  };
  for await (const buffer of decoded(source, decoder)) {
    let start = 0;
    for (let at = 0; at < buffer.length; at++) {
      const kind = kinds[buffer[at] as number];
      if (kind === KIND.other) {
        if (cells !== undefined) continue;
        // Only the end matters.
        const end = buffer.indexOf(LF, at);
        at = (end === -1 ? buffer.length : end) - 1;
        continue;
      }
      if (kind === KIND.quote) {
        if (quoted || at === opensAt) {
          quoted = !quoted;
          if (!quoted) opensAt = at + 1;
        }
      } else if (kind === KIND.separator) {
        if (!quoted) opensAt = at + 1;
      } else if (kind === KIND.lf && cells !== undefined && (at === 0 ? isAfterCr : buffer[at - 1] === CR)) {
        // The rest of CRLF.
        if (!quoted) opensAt = start = at + 1;
      } else {
        ends++;
        if (quoted) continue;
        keep(buffer.subarray(start, at));
        opensAt = start = at + 1;
        if (length === 0) {
          number += ends;
          ends = 0;
          continue;
        }
        yield finish();
        if (++turn % LINES_A_TURN === 0) await setImmediate();
        if (cells?.separators !== separators) {
          separators = cells?.separators;
          kinds = kindsOf(cells);
        }
      }
    }
    keep(buffer.subarray(start));
    opensAt -= buffer.length;
    isAfterCr = buffer.at(-1) === CR;
  }
  if (decoder.fault !== undefined) yield { ...finish(), fault: decoder.fault };
  if (length > 0) yield finish();
}

/** The source in UTF-8, up to where it turns out to be no text. */
async function* decoded(source: AsyncIterable<Uint8Array>, decoder: Decoder): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes = decoder.push(chunk);
    if (decoder.fault !== undefined) return;
    if (bytes.length > 0) yield bytes;
  }
  const rest = decoder.end();
  if (decoder.fault === undefined && rest.length > 0) yield rest;
}

function kindsOf(cells: CellRules | undefined): Uint8Array {
  const kinds = new Uint8Array(256);
  kinds[LF] = KIND.lf;
  if (cells === undefined) return kinds;
  kinds[CR] = KIND.cr;
  kinds[QUOTE] = KIND.quote;
  for (const byte of Buffer.from(cells.separators)) kinds[byte] = KIND.separator;
  return kinds;
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a line, or why it has none. */
export function textOf({ bytes, unclosed, charset, fault }: RawLine): { text: string } | { fault: string } {
  if (fault !== undefined) return { fault };
  if (unclosed) return { fault: 'A quote is never closed: the rest of the file cannot be read.' };
  if (bytes === undefined) return { fault: `The line must have at most ${MAX_LINE_BYTES} bytes.` };
  if (bytes.includes(0)) return { fault: 'The line has a NUL byte, which no text has.' };
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    return {
      fault: `The line must be ${charset}: save the file as UTF-8 ("CSV UTF-8"), or name its charset.`,
    };
  }
}
