import { z } from 'zod';
import {
  cutIdentity,
  cuttersOf,
  identitiesOf,
  identityOf,
  identityView,
} from '../../services/access/identities.ts';
import { accountById } from '../../services/accounts/accounts.ts';
import { id } from '../../services/accounts/fields.ts';
import { changeUnversioned, endpoint } from '../endpoint.ts';
import { identity } from '../schemas/identity.ts';

/** The identities of an account (admins). */
export function identityEndpoints() {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/users/:id/identities',
      access: 'admin',
      scope: 'users:read',
      summary: "List an account's identities",
      description:
        'Which sign-ins lead to the account: one for each issuer and subject that has signed in with its email.',
      params: z.object({ id }),
      answer: {
        status: 200,
        description: "The account's identities at each issuer, cut ones included, newest first.",
        schema: z.strictObject({ items: z.array(identity) }).meta({ id: 'IdentityList' }),
      },
      async handle({ unit: { em }, params }) {
        await accountById(em, params.id);
        const items = await identitiesOf(em, params.id);
        return { items, nameOf: await cuttersOf(em, items) };
      },
      view: ({ items, nameOf }) => ({ items: items.map((item) => identityView(item, nameOf)) }),
    }),
    changeUnversioned({
      method: 'DELETE',
      path: '/v1/users/:id/identities/:identityId',
      access: 'admin',
      summary: 'Cut an identity',
      description:
        'For an account whose owner has got a new sign-in at the issuer. The old one leads nowhere afterwards.',
      params: z.object({ id, identityId: id }),
      answer: {
        status: 204,
        description:
          "It is cut: the next sign-in at its issuer with the account's email takes its place. The account is signed out of the console.",
      },
      changes: ({ unit, params }) => identityOf(unit.em, params.id, params.identityId),
      handle: ({ entity, unit }) => cutIdentity(unit, entity),
    }),
  ];
}
