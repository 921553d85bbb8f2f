import type { InputError } from '../../../domain/refusal.ts';
import type { AccountView } from '../../accounts/view.ts';

/** The content of a line of a file (for a record of several lines, the first one), or its faults. */
export type Line =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly faults: readonly InputError[] };

/** A file format of accounts. It reads what it writes. */
export interface Format {
  readonly mediaType: string;
  /** The file extension, without the dot. */
  readonly extension: string;
  /** The beginning of a file. */
  readonly head: string;
  /** Formats an account, with the end of its line. */
  write(account: AccountView): string;
  /** Reads the lines of a file as they arrive, with no more memory than the longest line. Throws what reading the bytes throws. */
  read(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line>;
}
