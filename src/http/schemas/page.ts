import { z } from 'zod';
import { text } from '../../services/accounts/fields.ts';
import { DEFAULT_LIMIT } from '../../services/paging.ts';

const MAX_LIMIT = 200;

/** The query parameters of every list. */
export const pageQuery = {
  limit: z
    .string()
    .refine(
      (digits) => /^\d{1,3}$/.test(digits) && Number(digits) >= 1 && Number(digits) <= MAX_LIMIT,
      `Must be a whole number from 1 to ${MAX_LIMIT}.`,
    )
    .transform(Number)
    .optional()
    .meta({ override: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT } }),
  cursor: z.string().optional().meta({ minLength: 1, description: 'The `nextCursor` of the page before.' }),
};

/** Text to search for. */
export const searchText = text(255);

/** The schema of a page of such items. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: z.array(item),
    nextCursor: z
      .string()
      .nullable()
      .meta({ description: 'For the next page; null on the last one.', examples: [null] }),
  });
}

/** The description of every list's header. */
export const LINK = { Link: 'The next page, as `rel="next"` (RFC 8288), if there is one.' };
