/** The most bytes of a line: the largest preferences fit easily. */
export const MAX_LINE_BYTES = 128 * 1024;

/** A line as it arrived, without its end. */
export interface RawLine {
  /** The line's number in the file, from 1; the first one's, where a quoted cell spans several lines. */
  readonly number: number;
  /** `undefined` for more than {@link MAX_LINE_BYTES}. */
  readonly bytes: Buffer | undefined;
  /** Whether a quote was open when the file ended. */
  readonly unclosed: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

/**
 * Splits bytes into lines at LF or CRLF; the last one may lack its end. With `quotes`, an end inside of a quoted cell (RFC 4180,
 * section 2) belongs to the cell. It keeps at most {@link MAX_LINE_BYTES} of a line.
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { quotes }: { quotes: boolean },
): AsyncGenerator<RawLine> {
  let kept: Buffer[] = [];
  let length = 0;
  let number = 1;
  let ends = 0;
  // Whether we are inside of a quoted cell, and whether a quote may open one: at a cell's start, or right after a closing one.
  let quoted = false;
  let mayOpen = true;

  const keep = (part: Buffer) => {
    length += part.length;
    if (length <= MAX_LINE_BYTES + 1) kept.push(part);
    else kept = [];
  };
  const finish = (): RawLine => {
    let bytes = length <= MAX_LINE_BYTES + 1 ? Buffer.concat(kept) : undefined;
    if (bytes?.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (bytes !== undefined && bytes.length > MAX_LINE_BYTES) bytes = undefined;
    const line = { number, bytes, unclosed: quoted };
    number += ends;
    kept = [];
    length = ends = 0;
    quoted = false;
    mayOpen = true;
    return line;
  };

  for await (const chunk of source) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let at = 0; at < buffer.length; at++) {
      const byte = buffer[at];
      if (byte === LF) {
        ends++;
        if (quoted) continue;
        keep(buffer.subarray(start, at));
        start = at + 1;
        yield finish();
      } else if (quotes) {
        const closes = quoted && byte === QUOTE;
        if (byte === QUOTE && (quoted || mayOpen)) quoted = !quoted;
        mayOpen = closes || (byte === COMMA && !quoted);
      } else {
        // Only the end matters.
        const end = buffer.indexOf(LF, at);
        at = (end === -1 ? buffer.length : end) - 1;
      }
    }
    keep(buffer.subarray(start));
  }
  if (length > 0) yield finish();
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a line, which must be UTF-8, without a byte order mark at the start of the file. */
export function textOf({ number, bytes, unclosed }: RawLine): { text: string } | { fault: string } {
  if (unclosed) return { fault: 'A quote is never closed: the rest of the file cannot be read.' };
  if (bytes === undefined) return { fault: `The line must have at most ${MAX_LINE_BYTES} bytes.` };
  try {
    const text = decoder.decode(bytes);
    return { text: number === 1 ? text.replace(/^\uFEFF/, '') : text };
  } catch {
    return { fault: 'The line must be UTF-8.' };
  }
}
