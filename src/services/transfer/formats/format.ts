import type { ColumnMeaning } from '../../../domain/import-report.ts';
import type { InputError } from '../../../domain/refusal.ts';
import type { AccountView } from '../../accounts/view.ts';

/** The content of a line of a file (for a record of several lines, the first one), or its faults. */
export type Line =
  | {
      readonly number: number;
      readonly value: unknown;
      /** How many the line has in the file, in UTF-8. */
      readonly bytes: number;
    }
  | {
      readonly number: number;
      readonly faults: readonly InputError[];
      /** Whether no line can be read for them, so that nothing may be imported. */
      readonly isFatal?: boolean;
      /** Of a header line: what its columns are taken for. */
      readonly columns?: readonly ColumnMeaning[];
    }
  /** The header line: its columns, and the names of those that mean nothing here. */
  | {
      readonly number: number;
      readonly columns: readonly ColumnMeaning[];
      readonly ignoredColumns: readonly string[];
    };

/** The characters that separate the cells of an export, by name. */
export const SEPARATORS = { comma: ',', semicolon: ';', tab: '\t' } as const;
/** Their names; the first is the default. */
export const SEPARATOR_NAMES = ['comma', 'semicolon', 'tab'] as const satisfies (keyof typeof SEPARATORS)[];

/** How to write a file. A format without cells ignores it. */
export interface WriteOptions {
  readonly separator?: (typeof SEPARATOR_NAMES)[number] | undefined;
  /** Whether the file begins with a byte order mark, without which Excel takes UTF-8 for another charset. */
  readonly bom?: boolean | undefined;
}

/** Writes a file. */
export interface Writer {
  /** The beginning of the file. */
  readonly head: string;
  /** Formats an account, with the end of its line. */
  write(account: AccountView): string;
}

/** A file format of accounts. It reads what it writes. */
export interface Format {
  readonly mediaType: string;
  /** The usual file extension, without the dot. */
  readonly extension: 'ndjson' | 'csv';
  /** All of its file extensions, in lower case. */
  readonly extensions: readonly string[];
  writer(options?: WriteOptions): Writer;
  /**
   * Reads the lines of a file as they arrive, with no more memory than the longest line. `charset` is a name that `isCharset`
   * knows (default: UTF-8). Throws what reading the bytes throws.
   */
  read(bytes: AsyncIterable<Uint8Array>, charset?: string): AsyncGenerator<Line>;
}
