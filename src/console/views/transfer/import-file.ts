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
  // UTF-16, which the service recognizes.
  if (type !== TYPES['csv'] || bytes[0] === 0xff || bytes[0] === 0xfe) return whole;
  const text = decode(bytes, 'utf-8');
  const charset = text === undefined ? 'windows-1252' : 'utf-8';
  const head = text ?? new TextDecoder(charset).decode(bytes);
  const before = BEFORE_HEADER.exec(head)?.[0] ?? '';
  const line = lineOf(head.slice(before.length));
  const separator = before.includes('sep=')
    ? (/sep=(.)/i.exec(before)?.[1] ?? ',')
    : [',', ';', '\t'].reduce((a, b) => (cellsOf(line, b).length > cellsOf(line, a).length ? b : a));
  const columns = cellsOf(line, separator);
  const charBytes = (part: string) =>
    text === undefined ? part.length : new TextEncoder().encode(part).length;
  const rest = file.slice(charBytes(before + line));
  return {
    ...whole,
    type: `${type}; charset=${charset}`,
    isWindows: text === undefined,
    columns,
    withNames(names) {
      if (names.size === 0) return file;
      const named = columns.map((column, number) => {
        const name = names.get(number) ?? column;
        return `"${(name || `unused ${number + 1}`).replaceAll('"', '""')}"`;
      });
      // The names of a file in another charset than UTF-8 are read as they are written only where they are ASCII.
      return new Blob([before, named.join(separator), rest]);
    },
  };
}

function decode(bytes: Uint8Array, charset: string): string | undefined {
  try {
    // The last character may be cut. The byte order mark counts.
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
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
