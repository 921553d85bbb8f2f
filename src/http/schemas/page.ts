import { z } from 'zod';
import { text } from '../../services/accounts/fields.ts';
import { DEFAULT_LIMIT, type Page } from '../../services/paging.ts';

const MAX_LIMIT = 200;

/** What the query of every list has. */
export const pageQuery = {
  limit: z
    .string()
    .refine(
      (digits) => /^\d{1,3}$/.test(digits) && Number(digits) >= 1 && Number(digits) <= MAX_LIMIT,
      `It must be a whole number from 1 to ${MAX_LIMIT}.`,
    )
    .transform(Number)
    .optional()
    .meta({ override: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT } }),
  cursor: z.string().optional().meta({ description: 'The `nextCursor` of the page before.' }),
};

/** Text to look for. */
export const searchText = text(255);

/** A page of such items, as it leaves. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: z.array(item),
    nextCursor: z.string().nullable().meta({ description: 'For the next page; null on the last one.' }),
  });
}

/** What the header of every list is. */
export const LINK = { Link: 'The next page, as `rel="next"` (RFC 8288), if there is one.' };

type Query = Readonly<Record<string, string | number | boolean | Date | undefined>>;

/** That header, of a page of the list at `path` that was asked for with this query. */
export function linkToNext(path: string, query: Query, { next }: Page<unknown>): Record<string, string> {
  if (next === null) return {};
  const parameters: Query = { ...query, cursor: next };
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value instanceof Date ? value.toISOString() : String(value)]],
  );
  return { Link: `<${path}?${new URLSearchParams(given)}>; rel="next"` };
}
