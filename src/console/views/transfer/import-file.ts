/** A file to import. */
export interface ImportFile {
  readonly name: string;
  readonly size: number;
  /** With its charset. */
  readonly type: string;
  readonly isWindows: boolean;
  /** The names of its columns; empty where they cannot be given others. */
  readonly columns: readonly string[];
  /** The file with other names for some of its columns, by their numbers; the empty name is one that means nothing. */
  readonly withNames: (names: ReadonlyMap<number, string>) => Blob;
}

const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  tsv: 'text/csv',
  txt: 'text/csv',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
};

/** How much of a file its header line may have, in bytes. */
const HEAD_BYTES = 64 * 1024;

/** A byte order mark, and Excel's line that names the separator. */
const BEFORE_HEADER = /^\uFEFF?(?:"?sep=.?"?\r?\n)?/i;

/** Reads the head of a file. Returns `undefined` for a file of another kind. */
export async function importFile(file: File): Promise<ImportFile | undefined> {
  const type = TYPES[/\.([^.]+)$/.exec(file.name)?.[1]?.toLowerCase() ?? ''];
  if (type === undefined) return undefined;
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const whole = {
    name: file.name,
    size: file.size,
    type,
    isWindows: false,
    columns: [],
    withNames: () => file,
  };
  if (type !== TYPES['csv']) return whole;
  const charset = charsetOf(bytes);
  const head = new TextDecoder(charset, { ignoreBOM: true }).decode(bytes, { stream: true });
  const before = BEFORE_HEADER.exec(head)?.[0] ?? '';
  const line = lineOf(head.slice(before.length));
  const separator = before.includes('sep=')
    ? (/sep=(.)/i.exec(before)?.[1] ?? ',')
    : [',', ';', '\t'].reduce((a, b) => (cellsOf(line, b).length > cellsOf(line, a).length ? b : a));
  const columns = cellsOf(line, separator);
  const encode = ENCODERS[charset];
  const rest = file.slice(encode(before + line).length);
  return {
    ...whole,
    type: `${type}; charset=${charset}`,
    isWindows: charset === 'windows-1252',
    columns,
    withNames(names) {
      if (names.size === 0) return file;
      const named = columns.map((column, number) => {
        const name = names.get(number) ?? column;
        return `"${(name || `unused ${number + 1}`).replaceAll('"', '""')}"`;
      });
      return new Blob([encode(before + named.join(separator)), rest]);
    },
  };
}

/** How to write a text in each charset, with as many bytes as it has in the file. */
const ENCODERS = {
  'utf-8': (text: string) => new TextEncoder().encode(text),
  'utf-16le': (text: string) => utf16(text, true),
  'utf-16be': (text: string) => utf16(text, false),
  'windows-1252': windows1252,
} as const satisfies Readonly<Record<string, (text: string) => Uint8Array<ArrayBuffer>>>;

function utf16(text: string, isLittleEndian: boolean): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(text.length * 2));
  for (let at = 0; at < text.length; at++) view.setUint16(at * 2, text.charCodeAt(at), isLittleEndian);
  return new Uint8Array(view.buffer);
}

function windows1252(text: string): Uint8Array<ArrayBuffer> {
  const all = new TextDecoder('windows-1252').decode(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  return Uint8Array.from(text, (character) => all.indexOf(character));
}

/** The charset of a file, as the service finds it: UTF-16 by its mark or by the zeros beside its first letter. */
function charsetOf(bytes: Uint8Array): keyof typeof ENCODERS {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second)) return 'utf-16be';
  try {
    // The last character may be cut.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return 'utf-8';
  } catch {
    return 'windows-1252';
  }
}

/** The first line; one in quotes does not end. */
function lineOf(text: string): string {
  return /^(?:"[^"]*"|[^"\r\n])*/.exec(text)?.[0] ?? '';
}

function cellsOf(line: string, separator: string): string[] {
  const cells: string[] = [''];
  for (const part of line.match(/"[^"]*"|[^"]/g) ?? []) {
    if (part === separator) cells.push('');
    else cells[cells.length - 1] += part;
  }
  return cells.map((cell) =>
    cell
      .trim()
      .replace(/^"(.*)"$/s, '$1')
      .replaceAll('""', '"'),
  );
}
