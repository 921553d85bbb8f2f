import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import { SCOPES } from '../../domain/service-token.ts';
import { hasInvisible } from '../../domain/visible-text.ts';
import { serviceTokenView } from '../../services/access/service-token-view.ts';
import {
  createServiceToken,
  listServiceTokens,
  MAX_YEARS,
  serviceTokenById,
} from '../../services/access/service-tokens.ts';
import { id, text } from '../../services/accounts/fields.ts';
import { changeUnversioned, endpoint } from '../endpoint.ts';
import { openList } from '../schemas/open-list.ts';

const EXAMPLE = {
  id: 1,
  name: 'billing',
  scopes: ['users:read'],
  createdBy: 'ada@example.com',
  createdAt: '2026-01-31T12:00:00.000Z',
  expiresAt: '2027-01-31T12:00:00.000Z',
  lastUsedAt: null,
  revokedAt: null,
  revokedBy: null,
};

const scope = z.enum(SCOPES).meta({ id: 'Scope' });

const serviceToken = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    scopes: z.array(openList(SCOPES)),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable().meta({ description: '`null`: never.' }),
    lastUsedAt: z.iso.datetime().nullable().meta({ description: 'Updated at most once a minute.' }),
    revokedAt: z.iso.datetime().nullable(),
    revokedBy: z.string().nullable(),
  })
  .meta({ id: 'ServiceToken', examples: [EXAMPLE] });

/** In the log and in the history, a name must not be able to disguise itself. */
const tokenName = text(100)
  .normalize('NFC')
  .refine((name) => name.trim() === name, 'Must not begin or end with a blank.')
  .refine(
    (name) => !/\p{C}|(?! )\p{Z}| {2}/u.test(name),
    'Must not contain control characters or unusual blanks.',
  )
  .refine((name) => !hasInvisible(name), 'Must not contain invisible characters.');

/** Service tokens for back ends (admins). */
export function serviceTokenEndpoints() {
  return [
    endpoint({
      method: 'POST',
      path: '/v1/service-tokens',
      access: 'admin',
      summary: 'Create a service token',
      description:
        'For a back end or a script that is nobody in particular. It may do what its scopes allow.',
      body: {
        schema: z
          .strictObject({
            name: tokenName,
            scopes: z.array(scope).min(1).meta({
              description: 'What the token may do. `users:write` cannot create, change or delete admins.',
            }),
            expiresAt: z
              .union([z.iso.datetime({ offset: true }), z.iso.date()], {
                error: 'Must be a date, a time with an offset, or null.',
              })
              .nullable()
              .meta({
                description: `A time, or a date for the end of that day in UTC; at most ${MAX_YEARS} years from now. \`null\`: the token never expires.`,
              }),
          })
          .meta({
            id: 'ServiceTokenRequest',
            examples: [{ name: 'billing', scopes: ['users:read'], expiresAt: '2030-01-31T12:00:00Z' }],
          }),
        types: ['application/json'],
      },
      answer: {
        status: 201,
        description: 'The new token. It is shown only once.',
        schema: serviceToken
          .extend({
            token: z.string().nullable().meta({
              description:
                'Send it as a bearer token. It begins with `rc_`. `null` in the answer to a repeated request (`Idempotency-Key`): it is not stored.',
            }),
          })
          .meta({
            id: 'NewServiceToken',
            examples: [{ ...EXAMPLE, token: 'rc_wEQnWbsU4ECx0dOBbiVIFpUPnqKoLw0vyJTSDA9mNB0JqZFkQ' }],
          }),
        headers: { Location: 'Its URL.' },
      },
      refusals: [refusals.nameTaken, refusals.invalidExpiry],
      handle: ({ unit, body }) =>
        createServiceToken(unit, { ...body, expiresAt: expiryOf(body.expiresAt) }, new Date()),
      view: ({ token, entry }) => ({ ...serviceTokenView(entry, ({ actor }) => actor), token }),
      keeps: ({ entry }) => ({ ...serviceTokenView(entry, ({ actor }) => actor), token: null }),
      headers: ({ entry }) => ({ Location: `/v1/service-tokens/${entry.id}` }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/service-tokens',
      access: 'admin',
      summary: 'List service tokens',
      description: 'Which tokens exist, what they may do, and when they were last used.',
      answer: {
        status: 200,
        description:
          'All entries, revoked and expired ones included, newest first; never the tokens themselves.',
        schema: z.strictObject({ items: z.array(serviceToken) }).meta({ id: 'ServiceTokenList' }),
      },
      handle: ({ unit }) => listServiceTokens(unit.em),
      view: ({ entries, nameOf }) => ({ items: entries.map((entry) => serviceTokenView(entry, nameOf)) }),
    }),
    changeUnversioned({
      method: 'DELETE',
      path: '/v1/service-tokens/:id',
      access: 'admin',
      summary: 'Revoke a service token',
      description: 'For good. The entry stays in the list.',
      params: z.object({ id }),
      answer: { status: 204, description: 'The token is refused from the next request on.' },
      changes: ({ unit, params }) => serviceTokenById(unit.em, params.id),
      handle: ({ entity, unit }) => entity.revoke(new Date(), unit.author),
    }),
  ];
}

/** A date is the end of its day, in UTC. */
function expiryOf(text: string | null): Date | null {
  if (text === null) return null;
  return new Date(text.includes('T') ? text : `${text}T23:59:59.999Z`);
}
