import { UNLIMITED } from './contenders.ts';
import { get, LIST_CASES, list } from './list-cases.ts';
import type { Load } from './load.ts';
import { AUDIENCE, admins, ISSUER, people, type SignInKind, services, strangers } from './people.ts';

/** A kind of request that is measured. */
export interface Case {
  readonly title: string;
  /** Whether the bare server answers it too. */
  readonly isBare?: true;
  /** Settings of the service other than those of the other cases. */
  readonly env?: NodeJS.ProcessEnv;
  /** The requests of a round. */
  load(round: Round): Promise<Load>;
}

/** A round of a case. */
export interface Round {
  readonly seconds: number;
  readonly accounts: number;
  /** The service that is measured. */
  readonly url: string;
}

/** More first sights of a token than the service answers in a second. Each takes about as long to sign as to check. */
const FIRST_SIGHTS_A_SECOND = { hs256: 8_000, es256: 6_000, authjs: 3_000 };

const me = (kind: SignInKind) => async () => get('/v1/me', await people(kind));
const firstMe =
  (kind: SignInKind) =>
  async ({ seconds }: Round): Promise<Load> => ({
    ...get('/v1/me', await strangers(kind, seconds * FIRST_SIGHTS_A_SECOND[kind])),
    isOnce: true,
  });

/** Settings that accept the tokens of {@link ISSUER}. */
const providers = (jwksUrl: string) => ({
  ...UNLIMITED,
  AUTH_ISSUER: ISSUER,
  AUTH_AUDIENCE: AUDIENCE,
  AUTH_JWKS_URL: jwksUrl,
});

/** The cases of requests by name, in the order of their measurement: those that write come last. */
export const casesWith = (jwksUrl: string): Readonly<Record<string, Case>> => ({
  me: { title: 'GET /v1/me', isBare: true, load: me('hs256') },
  list: { title: 'GET /v1/users?limit=50', isBare: true, load: list('') },
  'me-default': {
    title: 'GET /v1/me, with access log',
    env: { ...UNLIMITED, LOG_LEVEL: 'info' },
    load: me('hs256'),
  },
  'me-limited': {
    title: 'GET /v1/me, with access log and rate limits',
    // The most that can be set: a load generator exceeds the default.
    env: { RATE_LIMIT_REQUESTS: '1000000' },
    load: me('hs256'),
  },
  'hs256-first': { title: 'GET /v1/me, HS256, first sight', load: firstMe('hs256') },
  es256: { title: 'GET /v1/me, ES256', env: providers(jwksUrl), load: me('es256') },
  'es256-first': {
    title: 'GET /v1/me, ES256, first sight',
    env: providers(jwksUrl),
    load: firstMe('es256'),
  },
  authjs: { title: 'GET /v1/me, Auth.js', load: me('authjs') },
  'authjs-first': { title: 'GET /v1/me, Auth.js, first sight', load: firstMe('authjs') },
  service: {
    title: 'GET /v1/users?limit=50, service token',
    load: async ({ url }) => get('/v1/users?limit=50', await services(url)),
  },
  ...LIST_CASES,
  patch: {
    title: 'PATCH /v1/me/preferences',
    isBare: true,
    load: async () => ({
      method: 'PATCH',
      path: '/v1/me/preferences',
      people: await people('hs256'),
      body: '{"theme":%d}',
    }),
  },
  create: {
    title: 'POST /v1/users',
    load: async () => ({
      method: 'POST',
      path: '/v1/users',
      people: await admins(),
      body: '{"email":"new-%d@example.com"}',
    }),
  },
});
