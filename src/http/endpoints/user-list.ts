import { z } from 'zod';
import type { CursorCodec } from '../../security/cursor.ts';
import { COUNT_CAP, listAccounts, SORTS } from '../../services/accounts/list.ts';
import { accountView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account, role, status, storageMode } from '../schemas/account.ts';
import { LINK, linkToNext, pageOf, pageQuery, searchText } from '../schemas/page.ts';

const PATH = '/v1/users';

const query = z.strictObject({
  ...pageQuery,
  sort: z.enum(SORTS).optional().meta({
    default: '-createdAt',
    description: 'What to sort by; with a minus, from the last to the first.',
  }),
  role: role.optional(),
  status: status.optional(),
  storageMode: storageMode.optional(),
  email: searchText.optional().meta({ description: 'The whole email, in any case.' }),
  q: searchText.optional().meta({ description: 'A part of the email or the name, in any case.' }),
  total: z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .optional()
    .meta({ override: { type: 'boolean', default: false, description: 'Whether to count them all.' } }),
});

const page = pageOf(account).extend({
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
        headers: LINK,
      },
      refusals: ['bad_cursor'],
      handle: async ({ em, query }) => ({ query, page: await listAccounts(em, cursors, query) }),
      view: ({ page: { items, next, total } }) => ({
        items: items.map(accountView),
        nextCursor: next,
        ...(total && { total }),
      }),
      headers: ({ query, page }) => linkToNext(PATH, query, page),
    }),
  ];
}
