import { z } from 'zod';
import { SCOPES, type ServiceToken } from '../../domain/service-token.ts';
import {
  createServiceToken,
  listServiceTokens,
  MAX_YEARS,
  revokeServiceToken,
} from '../../services/access/service-tokens.ts';
import { text } from '../../services/accounts/fields.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { id } from '../schemas/account.ts';

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

const serviceToken = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().nullable().meta({ description: 'Noted once a minute at the most.' }),
    revokedAt: z.iso.datetime().nullable(),
    revokedBy: z.string().nullable(),
  })
  .meta({ id: 'ServiceToken', examples: [EXAMPLE] });

/** Keys for back ends, for admins. */
export function serviceTokenEndpoints(): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/v1/service-tokens',
      access: 'admin',
      summary: 'Make a service token',
      body: {
        schema: z
          .strictObject({
            name: text(100)
              .refine((name) => name.trim() === name, 'It must have no blanks around it.')
              // In the log and in the history, a name shall be what it looks like.
              .refine((name) => !/\p{C}/u.test(name), 'It must have no control characters.'),
            scopes: z.array(z.enum(SCOPES)).min(1).meta({
              description:
                'What it is for. `users:write` is for people: it can make, change and remove no admin.',
            }),
            expiresAt: z.iso.datetime({ offset: true }).meta({
              description: `${MAX_YEARS} years from now at the latest.`,
            }),
          })
          .meta({
            examples: [{ name: 'billing', scopes: ['users:read'], expiresAt: '2030-01-31T12:00:00Z' }],
          }),
        types: ['application/json'],
      },
      answer: {
        status: 201,
        description: 'The token. It is shown this once.',
        schema: serviceToken
          .extend({
            token: z.string().meta({ description: 'To be sent as a bearer token. It begins with `rc_`.' }),
          })
          .meta({
            id: 'NewServiceToken',
            examples: [{ ...EXAMPLE, token: 'rc_wEQnWbsU4ECx0dOBbiVIFpUPnqKoLw0vyJTSDA9mNB0JqZFkQ' }],
          }),
        headers: { Location: 'Where it is.' },
      },
      refusals: ['name_taken'],
      handle: ({ em, body }) =>
        createServiceToken({ em }, { ...body, expiresAt: new Date(body.expiresAt) }, new Date()),
      view: ({ token, entry }) => ({ ...serviceTokenView(entry), token }),
      headers: ({ entry }) => ({ Location: `/v1/service-tokens/${entry.id}` }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/service-tokens',
      access: 'admin',
      summary: 'All service tokens',
      answer: {
        status: 200,
        description: 'Those that there are and were, newest first; never the tokens themselves.',
        schema: z.strictObject({ items: z.array(serviceToken) }),
      },
      handle: ({ em }) => listServiceTokens(em),
      view: (entries) => ({ items: entries.map(serviceTokenView) }),
    }),
    endpoint({
      method: 'DELETE',
      path: '/v1/service-tokens/:id',
      access: 'admin',
      summary: 'Revoke a service token',
      params: z.object({ id }),
      answer: { status: 204, description: 'It is good for nothing from the next request on.' },
      handle: ({ em, params }) => revokeServiceToken(em, params.id, new Date()),
    }),
  ];
}

function serviceTokenView(entry: ServiceToken): z.output<typeof serviceToken> {
  const { id, name, scopes, createdBy, createdAt, expiresAt, lastUsedAt, revokedAt, revokedBy } = entry;
  return {
    id,
    name,
    scopes,
    createdBy,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
    revokedBy: revokedBy ?? null,
  };
}
