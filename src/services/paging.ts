import { DomainError } from '../domain/errors.ts';
import type { CursorCodec, Position } from '../security/cursor.ts';

/** How many items a page has at the most, unless one asks for another number. */
export const DEFAULT_LIMIT = 50;

/** Which page of a list. */
export interface PageRequest {
  /** The most items on the page; {@link DEFAULT_LIMIT} where it is not given. */
  readonly limit?: number | undefined;
  /** The `next` of the page before, of a list with the same order and filters. */
  readonly cursor?: string | undefined;
}

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The cursor of the next page; `null` on the last one. */
  readonly next: string | null;
}

/** Where the page before has ended, by its cursor; `undefined` for the first page. Throws `bad_cursor`. */
export function positionOf(
  cursors: CursorCodec,
  cursor: string | undefined,
  scope: unknown,
): Position | undefined {
  const position = cursor === undefined ? undefined : cursors.open(cursor, scope);
  if (cursor === undefined || position !== undefined) return position;
  throw badCursor();
}

/** What befalls whoever comes with a cursor that was not made here, or not for this. */
export function badCursor(): DomainError {
  return new DomainError(
    'bad_cursor',
    'This cursor is not from here, or from a list with another sort or filter.',
  );
}
