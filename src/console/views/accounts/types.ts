import type { Answered, QueryOf } from '../../../client/index.ts';
import type { Texts } from '../../data/address.ts';

/** An account of the list. */
export type Account = Answered<'GET /v1/users'>['items'][number];

/** The order of the list. */
export type Sort = NonNullable<QueryOf<'GET /v1/users'>['sort']>;

/** What of the list is shown, and in which order: what the address of the view says. */
export type Filters = Omit<Texts<QueryOf<'GET /v1/users'>>, 'limit' | 'cursor' | 'total' | 'email'>;

/** The names of the filters in the address. */
export const FILTER_NAMES = [
  'q',
  'role',
  'status',
  'storageMode',
  'domain',
  'createdSince',
  'createdBefore',
  'seenSince',
  'seenBefore',
  'sort',
] as const satisfies readonly (keyof Filters)[];

/** What an address says about the list. */
export function filtersOf(state: Readonly<Partial<Record<string, string>>>): Filters {
  return Object.fromEntries(FILTER_NAMES.flatMap((name) => (state[name] ? [[name, state[name]]] : [])));
}

/** The rows of a page: enough for a screen, and quick. */
export const PAGE = 100;

/** The most rows that the service has on a page. */
export const LARGEST_PAGE = 200;

/** How many accounts a list has. */
export type Total = NonNullable<Answered<'GET /v1/users'>['total']>;
