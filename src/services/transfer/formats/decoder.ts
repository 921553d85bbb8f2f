const NOTHING = Buffer.alloc(0);

/** What a decoder writes for bytes that its charset does not have. */
const REPLACEMENT = Buffer.from('\uFFFD');

/** A byte that UTF-8 never has: it makes its line invalid. */
const INVALID = 0xff;

/** The most bytes at the start of a file that tell what it is. */
const HEAD_LENGTH = 4;

/** The first bytes of files that are no text. */
const SIGNATURES: readonly (readonly [bytes: string, fault: string])[] = [
  ['504b0304', 'This is a workbook (.xlsx, .ods) or another ZIP file: save the sheet as "CSV UTF-8".'],
  ['d0cf11e0', 'This is a workbook (.xls): save the sheet as "CSV UTF-8".'],
  ['1f8b', 'This is a compressed file (gzip): unpack it first.'],
];

/** Whether {@link Decoder} knows a charset by this name (https://encoding.spec.whatwg.org). */
export function isCharset(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== '';
  } catch {
    return false;
  }
}

/**
 * Turns the bytes of a text file into UTF-8, chunk by chunk, without the byte order mark: UTF-8 as it is, UTF-16 by its mark or
 * by the zeros beside its first letter, anything else by the name of its charset. What the charset does not have becomes a
 * byte that is invalid in UTF-8.
 */
export class Decoder {
  /** Why the file is no text, as soon as its first bytes tell. */
  fault: string | undefined;
  #charset: string;
  #head: Buffer | undefined = NOTHING;
  #decoder: InstanceType<typeof TextDecoder> | undefined;

  /** `charset` is a name that {@link isCharset} knows; the default is UTF-8. A byte order mark overrules it. */
  constructor(charset = 'utf-8') {
    this.#charset = new TextDecoder(charset).encoding;
  }

  /** The name of the file's charset. */
  get charset(): string {
    return this.#charset.toUpperCase();
  }

  /** The next bytes as UTF-8. */
  push(chunk: Uint8Array): Buffer {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#head !== undefined) {
      bytes = Buffer.concat([this.#head, bytes]);
      this.#head = bytes;
      if (bytes.length < HEAD_LENGTH) return NOTHING;
      bytes = this.#begin(bytes);
    }
    return this.#decoder === undefined ? bytes : utf8Of(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The rest, when there are no more bytes. */
  end(): Buffer {
    const rest = this.#head === undefined ? NOTHING : this.#begin(this.#head);
    return this.#decoder === undefined ? rest : utf8Of(this.#decoder.decode(rest));
  }

  /** Decides by the first bytes, and returns them without a mark. */
  #begin(head: Buffer): Buffer {
    this.#head = undefined;
    const hex = head.toString('hex', 0, HEAD_LENGTH);
    this.fault = SIGNATURES.find(([bytes]) => hex.startsWith(bytes))?.[1];
    if (hex.startsWith('efbbbf')) {
      this.#charset = 'utf-8';
      return head.subarray(3);
    }
    // The first character of any file that we read is in ASCII.
    if (/^(fffe|(?!00)..00)/.test(hex)) this.#charset = 'utf-16le';
    if (/^(feff|00(?!00)..)/.test(hex)) this.#charset = 'utf-16be';
    if (this.#charset !== 'utf-8') this.#decoder = new TextDecoder(this.#charset);
    return head;
  }
}

function utf8Of(text: string): Buffer {
  const bytes = Buffer.from(text);
  for (let at = bytes.indexOf(REPLACEMENT); at !== -1; at = bytes.indexOf(REPLACEMENT, at + 1)) {
    bytes[at] = INVALID;
  }
  return bytes;
}
