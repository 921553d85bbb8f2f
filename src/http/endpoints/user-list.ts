import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { MAX_ID } from '../../services/accounts/fields.ts';
import { COUNT_CAP, listAccounts, SORTS } from '../../services/accounts/list.ts';
import { linkToNext, pageJson, readPage } from '../answer/page.ts';
import { endpoint } from '../endpoint.ts';
import { account } from '../schemas/account.ts';
import { accountFilters } from '../schemas/account-filters.ts';
import { flag } from '../schemas/flag.ts';
import { LINK, pageQuery, pageSchema } from '../schemas/page.ts';

const PATH = '/v1/users';

/** A filter that can make a list of very many accounts slow. */
function slow<Filter extends z.ZodType>(filter: Filter, note: string): Filter {
  return filter.meta({ ...filter.meta(), description: `${filter.meta()?.description} ${note}` });
}

function time<Filter extends z.ZodType>(filter: Filter): Filter {
  return slow(
    filter,
    'With very many accounts, a list in another order is refused where it would take too long.',
  );
}

const { email, domain, createdSince, createdBefore, seenSince, seenBefore, q, ...columns } = accountFilters;

/** The most ids of a request: a page has room for their accounts. */
const MAX_IDS = 100;

const ids = z
  .string()
  .regex(
    new RegExp(`^[1-9]\\d{0,9}(,[1-9]\\d{0,9}){0,${MAX_IDS - 1}}$`),
    `Must be up to ${MAX_IDS} ids, separated by commas.`,
  )
  .refine((text) => text.split(',').every((id) => Number(id) <= MAX_ID), `Must be at most ${MAX_ID}.`)
  .meta({ description: 'These accounts alone, by their ids.', examples: ['1,2,3'] });

const query = z.strictObject({
  ids: ids.optional(),
  ...columns,
  ...pageQuery,
  sort: z.enum(SORTS).optional().meta({
    default: '-createdAt',
    description: 'The order; descending with a minus.',
  }),
  email,
  domain,
  createdSince: time(createdSince),
  createdBefore: time(createdBefore),
  seenSince: time(seenSince),
  seenBefore: time(seenBefore),
  q: slow(
    q,
    'With very many accounts, a search without three letters or digits in a row is refused where few accounts match.',
  ),
  total: flag('Whether to count them all.'),
});

const total = z
  .strictObject({ count: z.int().min(0), capped: z.boolean() })
  .meta({ id: 'AccountCount', examples: [{ count: 2, capped: false }] });

const page = pageSchema(account)
  .extend({
    total: total.optional().meta({
      description: `With \`total=true\`. Counted up to ${COUNT_CAP}; \`capped\` when there are more.`,
    }),
  })
  .meta({ id: 'AccountPage' });

/** The list of accounts (admins). */
export function userListEndpoints({ cursors }: { readonly cursors: CursorCodec }) {
  return [
    endpoint({
      method: 'GET',
      path: PATH,
      access: 'admin',
      scope: 'users:read',
      summary: 'List accounts',
      description:
        'Those that match all given filters, page by page. `nextCursor` is the `cursor` of the next page, also given as `Link`.',
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
        const given = { ...query, ids: query.ids?.split(',').map(Number) };
        const page = await readPage(cursors, scope, query, (request) =>
          reader.read((em) => listAccounts(em, { ...given, ...request })),
        );
        return { query, page };
      },
      view: ({ page }) => pageJson(page),
      headers: ({ query, page }) => linkToNext(PATH, { ...query, total: query.total || undefined }, page),
    }),
  ];
}
