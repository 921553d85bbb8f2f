import { UNLIMITED } from './contenders.ts';
import type { Load } from './load.ts';
import {
  AUDIENCE,
  admins,
  ISSUER,
  type Person,
  people,
  type SignInKind,
  services,
  strangers,
} from './people.ts';

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

/** More first sights of a token than the service answers in a second. */
const FIRST_SIGHTS_A_SECOND = 8_000;

const get = (path: string, who: readonly Person[]): Load => ({ method: 'GET', path, people: who });

const me = (kind: SignInKind) => async () => get('/v1/me', await people(kind));
const firstMe =
  (kind: SignInKind) =>
  async ({ seconds }: Round): Promise<Load> => ({
    ...get('/v1/me', await strangers(kind, seconds * FIRST_SIGHTS_A_SECOND)),
    isOnce: true,
  });
const list = (query: string) => async () => get(`/v1/users?limit=50${query}`, await admins());

/** Settings that accept the tokens of {@link ISSUER}. */
const providers = (jwksUrl: string) => ({
  ...UNLIMITED,
  AUTH_ISSUER: ISSUER,
  AUTH_AUDIENCE: AUDIENCE,
  AUTH_JWKS_URL: jwksUrl,
});

/** The cases by name, in the order of their measurement. */
export const casesWith = (jwksUrl: string): Readonly<Record<string, Case>> => ({
  me: { title: 'GET /v1/me', isBare: true, load: me('hs256') },
  list: { title: 'GET /v1/users?limit=50', isBare: true, load: list('') },
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
  create: {
    title: 'POST /v1/users',
    load: async () => ({
      method: 'POST',
      path: '/v1/users',
      people: await admins(),
      body: '{"email":"new-%d@example.com"}',
    }),
  },
  q: { title: 'GET /v1/users?q=, found by name', load: list('&q=User%20777') },
  'q-common': { title: 'GET /v1/users?q=, in every account', load: list('&q=example') },
  'q-absent': { title: 'GET /v1/users?q=, in no account', load: list('&q=nowhere%20to%20be%20found') },
  'q-short': { title: 'GET /v1/users?q=, two letters in no account', load: list('&q=zq') },
  deep: {
    title: 'GET /v1/users?limit=50, deep page',
    load: async ({ url, accounts }) => {
      const who = await admins();
      return get(`/v1/users?limit=50&cursor=${await deepCursor(url, who[0] ?? {}, accounts)}`, who);
    },
  },
  history: {
    title: 'GET /v1/history?limit=50',
    load: async () => get('/v1/history?limit=50', await admins()),
  },
  'history-actor': {
    title: 'GET /v1/history?actor=',
    load: async () => get('/v1/history?limit=50&actor=u500@example.com', await admins()),
  },
  'history-field': {
    title: 'GET /v1/history?field=',
    load: async () => get('/v1/history?limit=50&field=preferences.theme', await admins()),
  },
  'history-account': {
    title: 'GET /v1/me/history',
    load: async () => get('/v1/me/history?limit=50', await people('hs256')),
  },
  changes: {
    title: 'GET /v1/changes, from the start',
    load: async () => get('/v1/changes?limit=50', await admins()),
  },
});

/** The longest page. */
const PAGE = 200;

/** The cursor of a page behind half of the accounts, up to 50,000 of them. */
async function deepCursor(url: string, headers: Person, accounts: number): Promise<string> {
  let cursor = '';
  for (let seen = 0; seen < Math.min(accounts / 2, 50_000); seen += PAGE) {
    const page = await fetch(`${url}/v1/users?limit=${PAGE}${cursor && `&cursor=${cursor}`}`, { headers });
    ({ nextCursor: cursor } = (await page.json()) as { nextCursor: string });
  }
  return cursor;
}
