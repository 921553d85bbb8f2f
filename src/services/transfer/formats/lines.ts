/** The most bytes that a line may have. Preferences as large as they may be fit, with room to spare. */
export const MAX_LINE_BYTES = 128 * 1024;

/** A line as it was sent, without its end. */
export interface RawLine {
  /** The number of the line in the file, from 1; of the first one, where a quoted cell goes on over several. */
  readonly number: number;
  /** Nothing, where there were more than {@link MAX_LINE_BYTES}. */
  readonly bytes: Buffer | undefined;
  /** Whether a quote was still open when the file ended. */
  readonly unclosed: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

/**
 * Cuts bytes into lines at LF or CRLF; the last one may lack its end. With `quotes`, an end inside of a quoted cell
 * (RFC 4180, section 2) is a part of it. However long a line is, no more than {@link MAX_LINE_BYTES} of it are kept.
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { quotes }: { quotes: boolean },
): AsyncGenerator<RawLine> {
  let kept: Buffer[] = [];
  let length = 0;
  let number = 1;
  let ends = 0;
  // Inside of a quoted cell; and whether a quote may open one here: at a cell's start, or doubled, after one has closed.
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
        // Nothing matters but the end.
        const end = buffer.indexOf(LF, at);
        at = (end === -1 ? buffer.length : end) - 1;
      }
    }
    keep(buffer.subarray(start));
  }
  if (length > 0) yield finish();
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a line, which must be UTF-8; a byte order mark at the start of the file is none of it. */
export function textOf({ number, bytes, unclosed }: RawLine): { text: string } | { fault: string } {
  if (unclosed) return { fault: 'A quote is opened and never closed; what follows cannot be read.' };
  if (bytes === undefined) return { fault: `The line must have ${MAX_LINE_BYTES} bytes at most.` };
  try {
    const text = decoder.decode(bytes);
    return { text: number === 1 ? text.replace(/^\uFEFF/, '') : text };
  } catch {
    return { fault: 'The line must be UTF-8.' };
  }
}
