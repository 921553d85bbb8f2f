import type { Case } from './cases.ts';
import type { Load } from './load.ts';
import { admins, type Person, people } from './people.ts';

/** Reads of a path by some people in turn. */
export const get = (path: string, who: readonly Person[]): Load => ({ method: 'GET', path, people: who });

/** Reads of a page of accounts by the admins. */
export const list = (query: string) => async () => get(`/v1/users?limit=50${query}`, await admins());

/** The cases of searches, and of pages of accounts and of the history. */
export const LIST_CASES: Readonly<Record<string, Case>> = {
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
};

/** The longest page. */
const PAGE = 200;

/** The cursor of a page in the middle of the accounts, or at position 50,000 if that comes first. */
async function deepCursor(url: string, headers: Person, accounts: number): Promise<string> {
  let cursor = '';
  for (let seen = 0; seen < Math.min(accounts / 2, 50_000); seen += PAGE) {
    const page = await fetch(`${url}/v1/users?limit=${PAGE}${cursor && `&cursor=${cursor}`}`, { headers });
    ({ nextCursor: cursor } = (await page.json()) as { nextCursor: string });
  }
  return cursor;
}
