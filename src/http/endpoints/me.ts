import { z } from 'zod';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { changeAccount, setPreferences } from '../../services/accounts/accounts.ts';
import { accountHeaders, accountView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account, ETAG, name, preferences, storageMode } from '../schemas/account.ts';

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
  ];
}
