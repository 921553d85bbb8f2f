import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { changeableFields } from '../../services/accounts/fields.ts';
import { COUNT_CAP, listAccounts, SORTS } from '../../services/accounts/list.ts';
import { linkToNext, pageJson, readPage } from '../answer/page.ts';
import { endpoint } from '../endpoint.ts';
import { account } from '../schemas/account.ts';
import { moment } from '../schemas/change.ts';
import { LINK, pageQuery, pageSchema, searchText } from '../schemas/page.ts';

const PATH = '/v1/users';

function time(description: string) {
  return moment.optional().meta({
    description: `${description} With very many accounts, a list in another order is refused where it would take too long.`,
  });
}

const query = changeableFields.pick({ role: true, status: true, storageMode: true }).extend({
  ...pageQuery,
  sort: z.enum(SORTS).optional().meta({
    default: '-createdAt',
    description: 'The order; descending with a minus.',
  }),
  email: searchText.optional().meta({ description: 'The whole email, in any case.' }),
  domain: searchText.optional().meta({ description: 'The domain of the email, in any case.' }),
  createdSince: time('Created at this time or later.'),
  createdBefore: time('Created before this time.'),
  seenSince: time('Last seen at this time or later.'),
  seenBefore: time('Last seen before this time, or never.'),
  q: searchText.optional().meta({
    description:
      'A part of the email or the name, in any case. With very many accounts, a search without three letters or digits in a row is refused where few accounts match.',
  }),
  total: z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .optional()
    .meta({ override: { type: 'boolean', default: false, description: 'Whether to count them all.' } }),
});

const page = pageSchema(account).extend({
  total: z
    .strictObject({ count: z.int(), capped: z.boolean() })
    .optional()
    .meta({
      description: `With \`total=true\`. Counted up to ${COUNT_CAP}; \`capped\` when there are more.`,
    }),
});

/** The list of accounts (admins). */
export function userListEndpoints({ cursors }: { readonly cursors: CursorCodec }) {
  return [
    endpoint({
      method: 'GET',
      path: PATH,
      access: 'admin',
      scope: 'users:read',
      summary: 'List accounts',
      readsReplica: true,
      query,
      answer: {
        status: 200,
        description: 'A page of the accounts.',
        schema: page,
        headers: LINK,
      },
      refusals: [refusals.badCursor],
      async handle({ reader, query }) {
        const { limit: _, cursor: __, total: ___, sort = '-createdAt', ...filters } = query;
        const { role, status, storageMode, email, q, ...others } = filters;
        const scope = [
          'accounts',
          sort,
          role,
          status,
          storageMode,
          email,
          q,
          ...(Object.keys(others).length > 0 ? [others] : []),
        ];
        const page = await readPage(cursors, scope, query, (request) =>
          reader.read((em) => listAccounts(em, { ...query, ...request })),
        );
        return { query, page };
      },
      view: ({ page }) => pageJson(page),
      headers: ({ query, page }) => linkToNext(PATH, query, page),
    }),
  ];
}
