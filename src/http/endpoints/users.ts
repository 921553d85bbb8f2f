import { z } from 'zod';
import type { PreferenceRules } from '../../domain/preferences.ts';
import type { Account } from '../../domain/user.ts';
import { accountById, changeAccount, createAccount } from '../../services/accounts/accounts.ts';
import { accountAt } from '../../services/history/account-history.ts';
import { accountHeaders, accountView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import {
  account,
  ETAG,
  email,
  id,
  name,
  preferences,
  role,
  status,
  storageMode,
} from '../schemas/account.ts';
import { moment } from '../schemas/change.ts';
import { MERGE_PATCH_TYPES } from './me.ts';

const params = z.object({ id });

/** Any account, for admins. */
export function userEndpoints(rules: PreferenceRules): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/v1/users',
      access: 'admin',
      scope: 'users:write',
      summary: 'Create an account',
      body: {
        schema: z
          .strictObject({
            email,
            name: name.optional(),
            role: role.optional(),
            storageMode: storageMode.optional(),
            preferences: preferences.optional(),
          })
          .meta({ examples: [{ email: 'grace@example.com', name: 'Grace Hopper' }] }),
        types: ['application/json'],
      },
      answer: {
        status: 201,
        description: 'The account, created.',
        schema: account,
        headers: { ...ETAG, Location: 'Where it is.' },
      },
      refusals: ['email_invalid', 'email_taken'],
      handle: ({ body, em }) => createAccount({ em }, body, rules),
      view: accountView,
      headers: (user) => ({ ...accountHeaders(user), Location: `/v1/users/${user.id}` }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:read',
      summary: 'An account',
      params,
      query: z.strictObject({
        at: moment.optional().meta({
          description:
            'The account as it was then, to the millisecond: 404 where there was none, 410 where what it was has been erased.',
        }),
      }),
      answer: { status: 200, description: 'The account.', schema: account, headers: ETAG },
      refusals: ['erased'],
      handle: ({ em, params: { id }, query: { at } }): Promise<Account> =>
        at === undefined ? accountById(em, id) : accountAt(em, id, at),
      view: accountView,
      headers: accountHeaders,
    }),
    endpoint({
      method: 'PATCH',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:write',
      summary: 'Change an account',
      params,
      body: {
        schema: z
          .strictObject({
            email: email.optional(),
            name: name.optional(),
            role: role.optional(),
            status: status.optional(),
            storageMode: storageMode.optional(),
            preferences: preferences.optional(),
          })
          .meta({ examples: [{ role: 'admin' }, { status: 'suspended' }] }),
        types: MERGE_PATCH_TYPES,
      },
      answer: { status: 200, description: 'The account, changed.', schema: account, headers: ETAG },
      refusals: ['email_invalid', 'email_taken', 'last_admin'],
      heedsIfMatch: true,
      async handle({ em, params, body, claim, matchPrecondition }) {
        const user = await accountById(em, params.id);
        await claim(user);
        matchPrecondition(user);
        changeAccount(user, body, rules);
        return user;
      },
      view: accountView,
      headers: accountHeaders,
    }),
    endpoint({
      method: 'DELETE',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:write',
      summary: 'Delete an account',
      params,
      answer: { status: 204, description: 'It is gone.' },
      refusals: ['last_admin'],
      heedsIfMatch: true,
      async handle({ em, params, claim, matchPrecondition }) {
        const user = await accountById(em, params.id);
        await claim(user);
        matchPrecondition(user);
        em.remove(user);
      },
    }),
  ];
}
