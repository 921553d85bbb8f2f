import { z } from 'zod';
import { isKeepableText } from '../../domain/preferences.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { COUNT_CAP, DEFAULT_LIMIT, listAccounts, SORTS } from '../../services/account-list.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account, role, status, storageMode } from '../schemas/account.ts';
import { accountView } from '../views.ts';

const PATH = '/v1/users';
const MAX_LIMIT = 200;

/** Text to look for. */
const text = z
  .string()
  .refine((given) => given !== '' && [...given].length <= 255, 'It must have 1 to 255 characters.')
  .refine(isKeepableText, 'It must have no NUL and no half of a surrogate pair.');
const LENGTHS = { minLength: 1, maxLength: 255 };

const query = z.strictObject({
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
  sort: z.enum(SORTS).optional().meta({
    default: '-createdAt',
    description: 'What to sort by; with a minus, from the last to the first.',
  }),
  role: role.optional(),
  status: status.optional(),
  storageMode: storageMode.optional(),
  email: text.optional().meta({ ...LENGTHS, description: 'The whole email, in any case.' }),
  q: text.optional().meta({ ...LENGTHS, description: 'A part of the email or the name, in any case.' }),
  total: z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .optional()
    .meta({ override: { type: 'boolean', default: false, description: 'Whether to count them all.' } }),
});

const page = z.strictObject({
  items: z.array(account),
  nextCursor: z.string().nullable().meta({ description: 'For the next page; null on the last one.' }),
  total: z
    .strictObject({ count: z.int(), capped: z.boolean() })
    .optional()
    .meta({
      description: `With \`total=true\`. Counted up to ${COUNT_CAP}; \`capped\` when there are more.`,
    }),
});

/** The list of accounts, for admins. */
export function userListEndpoints({ cursors }: { readonly cursors: CursorCodec }): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: PATH,
      access: 'admin',
      scope: 'users:read',
      summary: 'The accounts, page by page',
      query,
      answer: {
        status: 200,
        description: 'A page of the accounts.',
        schema: page,
        headers: { Link: 'The next page, as `rel="next"` (RFC 8288), if there is one.' },
      },
      refusals: ['bad_cursor'],
      handle: async ({ em, query }) => ({ query, page: await listAccounts(em, cursors, query) }),
      view: ({ page: { items, next, total } }) => ({
        items: items.map(accountView),
        nextCursor: next,
        ...(total && { total }),
      }),
      headers: ({ query, page: { next } }): Record<string, string> =>
        next === null ? {} : { Link: `<${PATH}?${search({ ...query, cursor: next })}>; rel="next"` },
    }),
  ];
}

/** The parameters that are given, as a URL has them. */
function search(
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): URLSearchParams {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
}
