import type { PreferenceRules } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import type { User } from '../../domain/user.ts';
import { changeAccount, deleteAccount, setPreferences } from '../../services/accounts/accounts.ts';
import { fields, ownFields } from '../../services/accounts/fields.ts';
import { accountView } from '../../services/accounts/view.ts';
import { accountHeaders } from '../answer/views.ts';
import { change, endpoint } from '../endpoint.ts';
import { account, ETAG, SEED_WARNING } from '../schemas/account.ts';

/** A merge patch may come under its own name or as plain JSON. */
export const MERGE_PATCH_TYPES = ['application/merge-patch+json', 'application/json'];

const changes = ({ actor }: { readonly actor: User }) => actor;

const preferencesView = ({ preferences }: User) => preferences ?? {};

/** Your own account. */
export function meEndpoints(rules: PreferenceRules) {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me',
      access: 'account',
      summary: 'Get my account',
      description: 'With the version in `ETag`, which a change of it can require by `If-Match`.',
      answer: { status: 200, description: "The caller's account.", schema: account, headers: ETAG },
      handle: ({ actor }) => actor,
      view: accountView,
      headers: accountHeaders,
    }),
    change({
      method: 'PATCH',
      path: '/v1/me',
      access: 'account',
      summary: 'Change my account',
      description:
        'A merge patch (RFC 7396): the given fields are set, and `null` removes a name or a preference. Email, role and status are for admins.',
      body: {
        schema: ownFields.meta({
          id: 'OwnAccountPatch',
          examples: [{ name: 'Ada Lovelace', preferences: { theme: 'dark', sidebar: null } }],
        }),
        types: MERGE_PATCH_TYPES,
      },
      answer: { status: 200, description: 'The changed account.', schema: account, headers: ETAG },
      changes,
      handle({ entity, body }) {
        changeAccount(entity, body, rules);
        return entity;
      },
      view: accountView,
      headers: accountHeaders,
    }),
    change({
      method: 'DELETE',
      path: '/v1/me',
      access: 'account',
      summary: 'Delete my account',
      description: 'Ends all its sessions. The last active admin cannot.',
      answer: { status: 204, description: 'The account is deleted.', headers: SEED_WARNING },
      refusals: [refusals.ownAccountInUse, refusals.lastAdmin],
      changes,
      handle({ entity, unit }) {
        deleteAccount(unit, entity);
      },
    }),
    endpoint({
      method: 'GET',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'Get my preferences',
      description:
        "The preferences alone, as the app has written them, with the account's version in `ETag`.",
      answer: { status: 200, description: 'The preferences.', schema: fields.preferences, headers: ETAG },
      handle: ({ actor }) => actor,
      view: preferencesView,
      headers: accountHeaders,
    }),
    change({
      method: 'PUT',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'Replace my preferences',
      description: 'The given object takes the place of all preferences.',
      body: { schema: fields.preferences, types: ['application/json'] },
      answer: {
        status: 200,
        description: 'The new preferences.',
        schema: fields.preferences,
        headers: ETAG,
      },
      changes,
      handle({ entity, body }) {
        setPreferences(entity, body, rules);
        return entity;
      },
      view: preferencesView,
      headers: accountHeaders,
    }),
    change({
      method: 'PATCH',
      path: '/v1/me/preferences',
      access: 'account',
      summary: 'Merge into my preferences',
      description:
        'A merge patch (RFC 7396), at any depth: `null` removes a preference, and what is not given stays. Two devices that change different preferences keep both.',
      body: { schema: fields.preferences, types: MERGE_PATCH_TYPES },
      answer: {
        status: 200,
        description: 'The merged preferences (RFC 7396).',
        schema: fields.preferences,
        headers: ETAG,
      },
      changes,
      handle({ entity, body }) {
        changeAccount(entity, { preferences: body }, rules);
        return entity;
      },
      view: preferencesView,
      headers: accountHeaders,
    }),
  ];
}
