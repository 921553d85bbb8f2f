import { z } from 'zod';
import { ACTORS } from '../../domain/author.ts';
import { ACTIONS, type Change } from '../../domain/change.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { accountById } from '../../services/accounts/accounts.ts';
import { listChanges } from '../../services/history/list.ts';
import { undoChange } from '../../services/history/undo.ts';
import type { Page } from '../../services/paging.ts';
import { changeView } from '../answer/views.ts';
import { type Answer, type Endpoint, endpoint } from '../endpoint.ts';
import { id } from '../schemas/account.ts';
import { change, moment } from '../schemas/change.ts';
import { LINK, linkToNext, pageOf, pageQuery, searchText } from '../schemas/page.ts';

const params = z.object({ id });
const query = z.strictObject(pageQuery);

const filters = query.extend({
  actor: searchText.optional().meta({
    description: `Who acted: ${ACTORS}, as it was at the time.`,
    examples: ['ada@example.com'],
  }),
  userId: id.optional().meta({ description: 'The account that was changed.' }),
  action: z.enum(ACTIONS).optional(),
  field: searchText
    .regex(/^(email|name|role|status|storageMode|preferences(\..+)?)$/s, 'There is no such field.')
    .optional()
    .meta({ description: 'A field, or a path of the preferences.', examples: ['role', 'preferences.theme'] }),
  since: moment
    .optional()
    .meta({ description: 'From this time on, itself included. In a URL, `+` is written `%2B`.' }),
  until: moment.optional().meta({ description: 'Before this time, itself excluded.' }),
});

const answer: Answer = {
  status: 200,
  description: 'A page of the history, newest first.',
  schema: pageOf(change),
  headers: LINK,
};

/** What a list is shown from. */
interface Shown {
  readonly path: string;
  readonly query: Parameters<typeof linkToNext>[1];
  readonly page: Page<Change>;
}
const view = ({ page: { items, next } }: Shown) => ({ items: items.map(changeView), nextCursor: next });
const headers = ({ path, query, page }: Shown) => linkToNext(path, query, page);

/** Who has changed what, and how to take it back. */
export function historyEndpoints(rules: PreferenceRules, cursors: CursorCodec): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/history',
      access: 'account',
      summary: 'What has befallen my account',
      query,
      answer,
      refusals: ['bad_cursor'],
      handle: async ({ em, actor, query }) => ({
        path: '/v1/me/history',
        query,
        page: await listChanges(em, cursors, { ...query, userId: actor.id }),
      }),
      view,
      headers,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/:id/history',
      access: 'admin',
      scope: 'history:read',
      summary: 'What has befallen an account',
      params,
      query,
      answer: { ...answer, description: `${answer.description} Also of an account that is gone.` },
      refusals: ['bad_cursor'],
      async handle({ em, params: { id }, query }) {
        const page = await listChanges(em, cursors, { ...query, userId: id });
        if (page.items.length === 0) await accountById(em, id);
        return { path: `/v1/users/${id}/history`, query, page };
      },
      view,
      headers,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/history',
      access: 'admin',
      scope: 'history:read',
      summary: 'What has befallen the accounts',
      query: filters,
      answer,
      refusals: ['bad_cursor'],
      handle: async ({ em, query }) => ({
        path: '/v1/history',
        query,
        page: await listChanges(em, cursors, query),
      }),
      view,
      headers,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/history/:id/undo',
      access: 'admin',
      scope: 'users:write',
      summary: 'Take a change back',
      params: z.object({
        id: z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number)
          .meta({ description: "The change's number.", examples: ['7'] }),
      }),
      answer: { status: 200, description: 'The change that takes it back.', schema: change },
      refusals: ['changed_since', 'email_taken', 'erased', 'invalid_input', 'last_admin'],
      handle: ({ em, params }) => undoChange({ em }, params.id, rules),
      view: (recorded) => changeView(recorded()),
    }),
  ];
}
