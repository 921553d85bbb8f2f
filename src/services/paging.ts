/** The most items on a page, unless the request asks for another number. */
export const DEFAULT_LIMIT = 50;

/** Where a page ended: the values of its order's columns in the last row. */
export type Position = readonly (string | number)[];

/** Which page of a list. */
export interface PageRequest {
  /** The most items on the page. Default: {@link DEFAULT_LIMIT}. */
  readonly limit?: number | undefined;
  /** The `next` of the page before, of the same list in the same order with the same filters. */
  readonly after?: Position | undefined;
}

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; `null` on the last page. */
  readonly next: Position | null;
}

/**
 * Makes a page of rows that were read up to one beyond `limit`: that one says that there is a next page, and so does `isCut` of
 * fewer rows.
 */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  {
    isCut = false,
    positionOf,
    itemOf,
  }: { isCut?: boolean; positionOf: (row: Row) => Position; itemOf: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = isCut || rows.length > limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(itemOf),
    next: last === undefined ? null : positionOf(last),
  };
}
