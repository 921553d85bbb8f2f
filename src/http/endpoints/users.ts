import { z } from 'zod';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Account, User } from '../../domain/user.ts';
import {
  accountById,
  changeAccount,
  createAccount,
  deleteAccount,
} from '../../services/accounts/accounts.ts';
import { changeInBulk } from '../../services/accounts/bulk.ts';
import { changeableFields, fields, id } from '../../services/accounts/fields.ts';
import { accountView, writtenAccountView } from '../../services/accounts/view.ts';
import { accountAt } from '../../services/history/account-history.ts';
import type { Unit } from '../../store/unit.ts';
import { accountHeaders } from '../answer/views.ts';
import { change, endpoint } from '../endpoint.ts';
import { account, ETAG, SEED_WARNING, writtenAccount } from '../schemas/account.ts';
import { bulkChange, bulkReport } from '../schemas/bulk.ts';
import { moment } from '../schemas/change.ts';
import { MERGE_PATCH_TYPES } from './me.ts';

const params = z.object({ id });

const changedAccount = z.union([account, writtenAccount]).meta({ id: 'ChangedAccount' });

const changes = (request: { readonly unit: Unit; readonly params: { id: number } }): Promise<User> =>
  accountById(request.unit.em, request.params.id);

/** Any account (admins). */
export function userEndpoints(rules: PreferenceRules) {
  return [
    endpoint({
      method: 'POST',
      path: '/v1/users',
      access: 'admin',
      scope: 'users:write',
      summary: 'Create an account',
      description:
        'For somebody who has not signed in yet: the first sign-in with the email finds it. No message is sent.',
      body: {
        schema: changeableFields
          .omit({ status: true })
          .extend({ email: fields.email })
          .meta({ id: 'NewAccount', examples: [{ email: 'grace@example.com', name: 'Grace Hopper' }] }),
        types: ['application/json'],
      },
      answer: {
        status: 201,
        description: 'The new account.',
        schema: account,
        headers: { ...ETAG, Location: 'Its URL.' },
      },
      refusals: [refusals.emailInvalid, refusals.emailTaken, refusals.reasonRequired],
      handle: ({ body, unit }) => createAccount(unit, body, rules),
      view: accountView,
      headers: (user) => ({ ...accountHeaders(user), Location: `/v1/users/${user.id}` }),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/users/bulk',
      access: 'admin',
      scope: 'users:write',
      summary: 'Change or delete many accounts',
      description: 'One change of up to 1,000 accounts, in one transaction.',
      body: { schema: bulkChange, types: ['application/json'] },
      answer: {
        status: 200,
        description: 'The report: all accounts that exist are changed, or none.',
        schema: bulkReport,
        headers: SEED_WARNING,
      },
      refusals: [refusals.accountInUse, refusals.lastAdmin, refusals.reasonRequired],
      dryRunAnswer: bulkReport,
      handle: ({ unit, body: { ids, delete: isDeletion, ...change } }) =>
        changeInBulk(unit, ids, isDeletion ? 'delete' : change),
      view: (report) => report,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:read',
      summary: 'Get an account',
      description: 'As it is, or as it was at a time.',
      // Of the past alone: what is now is what a change with If-Match begins with.
      readsReplica: true,
      params,
      query: z.strictObject({
        at: moment.optional().meta({
          description:
            'The account as it was at this time, to the millisecond: 404 where it did not exist, 410 where its values have been erased. Service tokens also need `history:read`.',
        }),
      }),
      answer: { status: 200, description: 'The account.', schema: account, headers: ETAG },
      refusals: [refusals.erased],
      handle({ unit: { em }, reader, params: { id }, query: { at }, sees }): Promise<Account> {
        if (at === undefined) return accountById(em, id);
        if (!sees('history:read')) throw refusals.scopeMissing('history:read');
        return reader.read((em) => accountAt(em, id, at), { until: at });
      },
      view: accountView,
      headers: accountHeaders,
    }),
    change({
      method: 'PATCH',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:write',
      summary: 'Change an account',
      description:
        'A merge patch (RFC 7396): the given fields are set, and `null` removes a name, the end of a role or a preference. There is always an active admin.',
      params,
      body: {
        schema: changeableFields.meta({
          id: 'AccountPatch',
          examples: [{ role: 'admin' }, { status: 'suspended' }],
        }),
        types: MERGE_PATCH_TYPES,
      },
      answer: {
        status: 200,
        description:
          'The changed account. A service token without `users:read` is shown what it has written.',
        schema: changedAccount,
        headers: { ...ETAG, ...SEED_WARNING },
      },
      refusals: [refusals.emailInvalid, refusals.emailTaken, refusals.lastAdmin, refusals.reasonRequired],
      changes,
      handle({ entity, body, sees }) {
        changeAccount(entity, body, rules);
        return { account: entity, written: sees('users:read') ? undefined : body };
      },
      view: ({ account, written }) => (written ? writtenAccountView(account, written) : accountView(account)),
      headers: ({ account }) => accountHeaders(account),
    }),
    change({
      method: 'DELETE',
      path: '/v1/users/:id',
      access: 'admin',
      scope: 'users:write',
      summary: 'Delete an account',
      description:
        'Its history stays until it is erased, so that the deletion can be undone. There is always an active admin.',
      params,
      answer: { status: 204, description: 'The account is deleted.', headers: SEED_WARNING },
      refusals: [refusals.accountInUse, refusals.lastAdmin, refusals.reasonRequired],
      changes,
      handle({ entity, unit }) {
        deleteAccount(unit, entity);
      },
    }),
  ];
}
