import type { InputError } from '../../../domain/refusals.ts';
import type { AccountView } from '../../accounts/view.ts';

/** What stands in one line of a file (the line it begins in, where it has several), or why that cannot be said. */
export type Line =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly faults: readonly InputError[] };

/** A format that accounts can be written in and read from. What it writes, it reads. */
export interface Format {
  readonly mediaType: string;
  /** Of a file's name, without the dot. */
  readonly extension: string;
  /** What a file begins with. */
  readonly head: string;
  /** One account, with the end of its line. */
  write(account: AccountView): string;
  /** The lines of a file, as they come; needs no more memory than its longest line. Throws what reading the bytes throws. */
  read(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line>;
}
