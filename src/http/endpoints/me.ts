import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import type { Account } from '../../domain/user.ts';
import { historyOf } from '../../services/account-history.ts';
import { changeAccount, setPreferences } from '../../services/accounts.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account, ETAG, name, preferences, storageMode } from '../schemas/account.ts';
import { change } from '../schemas/change.ts';
import { accountHeaders, accountView, changeView } from '../views.ts';

/** A merge patch may come under its own name or as plain JSON. */
export const MERGE_PATCH_TYPES = ['application/merge-patch+json', 'application/json'];

/** One's own account. */
export function meEndpoints(rules: PreferenceRules): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me',
      access: 'account',
      summary: 'My account',
      answer: {
        status: 200,
        description: 'The account that the token speaks for.',
        schema: account,
        headers: ETAG,
      },
      handle: ({ actor }) => actor,
      view: accountView,
      headers: accountHeaders,
    }),
    endpoint({
      method: 'PATCH',
      path: '/v1/me',
      access: 'account',
      summary: 'Change my account',
      body: {
        schema: z
          .strictObject({
            name: name.optional(),
            storageMode: storageMode.optional(),
            preferences: preferences.optional(),
          })
          .meta({ examples: [{ name: 'Ada Lovelace', preferences: { theme: 'dark', sidebar: null } }] }),
        types: MERGE_PATCH_TYPES,
      },
      answer: { status: 200, description: 'The account, changed.', schema: account, headers: ETAG },
      heedsIfMatch: true,
      async handle({ actor, body, claim, matchPrecondition }) {
        await claim(actor);
        matchPrecondition(actor);
        changeAccount(actor, body, rules);
        return actor;
      },
      view: accountView,
      headers: accountHeaders,
    }),
    endpoint({
      method: 'DELETE',
      path: '/v1/me',
      access: 'account',
      summary: 'Delete my account',
      answer: { status: 204, description: 'It is gone.' },
      refusals: ['last_admin'],
      heedsIfMatch: true,
      async handle({ actor, em, claim, matchPrecondition }) {
        await claim(actor);
        matchPrecondition(actor);
        em.remove(actor);
      },
    }),
    endpoint({
      method: 'GET',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'My preferences',
      answer: { status: 200, description: 'The preferences alone.', schema: preferences, headers: ETAG },
      handle: ({ actor }) => actor,
      view: ({ preferences }) => preferences ?? {},
      headers: accountHeaders,
    }),
    endpoint({
      method: 'PUT',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'Replace my preferences',
      body: { schema: preferences, types: ['application/json'] },
      answer: { status: 200, description: 'The preferences, replaced.', schema: preferences, headers: ETAG },
      heedsIfMatch: true,
      async handle({ actor, body, claim, matchPrecondition }) {
        await claim(actor);
        matchPrecondition(actor);
        setPreferences(actor, body, rules);
        return actor;
      },
      view: ({ preferences }) => preferences ?? {},
      headers: accountHeaders,
    }),
    endpoint({
      method: 'PATCH',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'Merge into my preferences',
      body: { schema: preferences, types: MERGE_PATCH_TYPES },
      answer: {
        status: 200,
        description: 'The preferences, merged (RFC 7396).',
        schema: preferences,
        headers: ETAG,
      },
      heedsIfMatch: true,
      async handle({ actor, body, claim, matchPrecondition }) {
        await claim(actor);
        matchPrecondition(actor);
        changeAccount(actor, { preferences: body }, rules);
        return actor;
      },
      view: ({ preferences }) => preferences ?? {},
      headers: accountHeaders,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/me/export',
      access: 'account',
      summary: 'All that is kept about me',
      answer: {
        status: 200,
        description: 'A download.',
        schema: z.strictObject({
          account,
          history: z.array(change).meta({ description: 'All that has befallen it, the oldest first.' }),
        }),
        headers: { 'Content-Disposition': 'How the file is to be called.' },
      },
      handle: ({ actor, em }) => ({ actor, history: historyOf(em, actor.id, actor.updatedAt) }),
      view: ({ actor, history }) =>
        // Text as it is, and no more than one piece ready while whoever reads is busy.
        Readable.from(exported(actor, history), { objectMode: true, highWaterMark: 1 }),
      headers: () => ({ 'Content-Disposition': 'attachment; filename="account.json"' }),
    }),
  ];
}

/** The pieces of that download, the first of them not before something is known of the history. */
async function* exported(actor: Account, history: AsyncIterable<Change>): AsyncGenerator<string> {
  let start = `{"account":${JSON.stringify(accountView(actor))},"history":[`;
  for await (const entry of history) {
    yield start + JSON.stringify(changeView(entry));
    start = ',';
  }
  yield start === ',' ? ']}' : `${start}]}`;
}
