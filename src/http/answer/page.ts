import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import type { Page, PageRequest } from '../../services/paging.ts';

/** The part of a query that chooses a page. */
export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** A page as it leaves, with its position sealed. */
export type SealedPage<P extends Page<unknown>> = Omit<P, 'next'> & {
  /** The cursor of the next page; `null` on the last page. */
  readonly nextCursor: string | null;
};

/**
 * Reads a page of a list for a request: opens the request's cursor and seals the next one. `scope` names the list, its order
 * and its filters: a cursor is valid there only. Throws `bad_cursor`.
 */
export async function readPage<P extends Page<unknown>>(
  cursors: CursorCodec,
  scope: unknown,
  { limit, cursor }: PageQuery,
  read: (request: PageRequest) => Promise<P>,
): Promise<SealedPage<P>> {
  const after = cursor === undefined ? undefined : cursors.open(cursor, scope);
  if (cursor !== undefined && after === undefined) throw refusals.badCursor();
  const { next, ...page } = await read({ limit, after });
  return { ...page, nextCursor: next === null ? null : cursors.seal(next, scope) };
}

/** The JSON of a page whose items are JSON. */
export function pageJson({ items, ...others }: SealedPage<Page<string>>): string {
  // Added up and not joined: the text is copied once, when it leaves.
  let json = '{"items":[';
  items.forEach((item, at) => {
    json += at === 0 ? item : `,${item}`;
  });
  return `${json}],${JSON.stringify(others).slice(1)}`;
}

type Query = Readonly<Record<string, string | number | boolean | Date | undefined>>;

/** The `Link` header (RFC 8288) to the next page of the list at `path`, with the query of this page. */
export function linkToNext(
  path: string,
  query: Query,
  { nextCursor }: { readonly nextCursor: string | null },
): Record<string, string> {
  if (nextCursor === null) return {};
  const parameters: Query = { ...query, cursor: nextCursor };
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value instanceof Date ? value.toISOString() : String(value)]],
  );
  return { Link: `<${path}?${new URLSearchParams(given)}>; rel="next"` };
}
