import type { EntityManager } from '@mikro-orm/postgresql';
import { asciiDomain, foldCase, readableDomain } from '../../domain/domain-name.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Column, Role, Status, StorageMode } from '../../domain/user.ts';
import {
  type AccountTexts,
  accountColumns,
  accountTextSelection,
  type MetadataSource,
} from '../../store/account-columns.ts';
import {
  isLeftOut,
  type Measured,
  partOf,
  readInParts,
  shortText,
  withinBytes,
} from '../../store/page-bytes.ts';
import { parameters, runAlone, runWithin, type Statement } from '../../store/statements.ts';
import { DOMAIN } from '../../store/tables/user.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, type Position, pageOf } from '../paging.ts';
import { contains, isWalk } from './search.ts';
import { accountJson } from './view.ts';

/** The orders of the list; without a minus, ascending. */
export const SORTS = ['createdAt', '-createdAt', 'email', '-email', 'lastSeenAt', '-lastSeenAt'] as const;
/** One of them. */
export type Sort = (typeof SORTS)[number];

/** Filters of the list: accounts match all that are given. */
export interface AccountFilters {
  /** These accounts alone. */
  readonly ids?: readonly number[] | undefined;
  readonly role?: Role | undefined;
  readonly status?: Status | undefined;
  readonly storageMode?: StorageMode | undefined;
  /** The whole email, in any form of it. */
  readonly email?: string | undefined;
  /** The domain of the email, in any form of it. */
  readonly domain?: string | undefined;
  /** Created at this time or later. */
  readonly createdSince?: Date | undefined;
  readonly createdBefore?: Date | undefined;
  /** Last seen at this time or later. */
  readonly seenSince?: Date | undefined;
  /** Last seen before this time, or never. */
  readonly seenBefore?: Date | undefined;
  /** A part of the email or the name, in any case; every character stands for itself. */
  readonly q?: string | undefined;
}

/** Which page of which list. */
export interface ListRequest extends AccountFilters, PageRequest {
  /** Default: newest first. */
  readonly sort?: Sort | undefined;
  /** Whether to count the whole list as well. */
  readonly total?: boolean | undefined;
}

/** A page of the list: of the JSON of each account's view. */
export interface AccountPage extends Page<string> {
  /** How many accounts the whole list has; when `capped`, it has more. */
  readonly total?: { readonly count: number; readonly capped: boolean };
}

/** How far a list is counted: the count is the only part of the answer that slows down as the list grows. */
export const COUNT_CAP = 10_000;

/** The filters that compare a column with a value. */
const COLUMN_FILTERS = ['role', 'status', 'storageMode'] as const satisfies readonly Column[];

/** The columns of each order, unique together, their names on a page, and a row's position in it, to the microsecond. */
const ORDERS = {
  createdAt: {
    columns: ['users.created_at', 'users.id'],
    names: ['"createdAt"', 'id'],
    positionOf: (row: AccountTexts): Position => [row.createdAt, row.id],
  },
  email: {
    columns: ['users.email'],
    names: ['email'],
    positionOf: (row: AccountTexts): Position => [row.email],
  },
  lastSeenAt: {
    columns: ['sightings.last_seen_at', 'sightings.user_id'],
    names: ['"sightedAt"', 'id'],
    positionOf: (row: AccountTexts & { readonly sightedAt?: string }): Position => [
      row.sightedAt ?? '',
      row.id,
    ],
  },
};

/** The filters by time, each with its order: in another one, few matches may be far apart. */
const RANGES = {
  createdSince: { sort: 'createdAt', column: 'users.created_at', operator: '>=' },
  createdBefore: { sort: 'createdAt', column: 'users.created_at', operator: '<' },
  seenSince: { sort: 'lastSeenAt', column: 'sightings.last_seen_at', operator: '>=' },
  seenBefore: { sort: 'lastSeenAt', column: 'sightings.last_seen_at', operator: '<' },
} as const;
const RANGE_NAMES = Object.keys(RANGES) as readonly (keyof typeof RANGES)[];

/** How long a walk may take, in milliseconds. It reads about a million accounts; nobody waits longer for what they type. */
const MAX_WALK_MS = 1_000;

/**
 * Reads a page of the accounts in one query, or a few where some are long, see {@link readInParts}; the total takes another one.
 * Pages continue where the last one ended (keyset pagination) and not after a number of rows: every page costs the same, and
 * concurrent inserts and deletions neither hide an account nor show it twice. Throws `invalid_query` for a search among very many accounts that
 * takes too long: for a short text that hardly any of them contains, or in another order than that of a range of times.
 */
export async function listAccounts(em: EntityManager, request: ListRequest): Promise<AccountPage> {
  const { sort = '-createdAt', limit = DEFAULT_LIMIT, total } = request;
  const slowPart = slowPartOf(request, sort);
  const read = slowPart ? walk(performance.now() + MAX_WALK_MS, slowPart) : runAlone;
  const { positionOf } = orderOf(sort);
  const whole = await read<AccountTexts>(em, pageStatement(em, { ...request, sort, size: limit + 1 }));
  const { rows, isCut } = whole.some(({ preferences }) => isLeftOut(preferences))
    ? await readInParts<AccountTexts & Measured>(limit + 1, async (last, size) => {
        const after = last === undefined ? request.after : positionOf(last);
        return partOf(await read(em, measuredPageStatement(em, { ...request, sort, after, size })));
      })
    : { rows: whole, isCut: false };
  const [counted] = total ? await read<{ count: number }>(em, countStatement(em, request)) : [];
  return {
    ...pageOf(rows, limit, {
      isCut,
      positionOf,
      itemOf: (row) => accountJson(em, row),
    }),
    ...(counted && {
      total: { count: Math.min(counted.count, COUNT_CAP), capped: counted.count > COUNT_CAP },
    }),
  };
}

/** What can make a list slow, and what to do about it. */
function slowPartOf(request: ListRequest, sort: Sort): { path: string; advice: string } | undefined {
  if (isWalk(request.q)) return { path: 'q', advice: 'search for at least three letters or digits in a row' };
  const range = RANGE_NAMES.find((name) => request[name] !== undefined && !sort.endsWith(RANGES[name].sort));
  return range && { path: range, advice: `sort by ${RANGES[range].sort}` };
}

/** Reads until a time of `performance.now()`. */
function walk(deadline: number, { path, advice }: { path: string; advice: string }) {
  return async <Row>(em: EntityManager, statement: Statement): Promise<Row[]> => {
    const rows = await runWithin<Row>(em, deadline - performance.now(), statement);
    if (rows !== undefined) return rows;
    throw refusals.invalidQuery([{ path, message: `Took too long to find: ${advice}.` }]);
  };
}

/** What a page has: `size` accounts that come `after` a position. */
type PageContent = AccountFilters & { sort: Sort; size: number; after?: Position | undefined };

/** The statement that reads a page, without preferences that are long, see {@link shortText}. */
export function pageStatement(source: MetadataSource, content: PageContent): Statement {
  const preferences = shortText('users.preferences', content.size);
  const { name, select, values } = pageOfAccounts(source, content, preferences);
  return { name, text: select, values };
}

/** The statement that reads as much of a page as has room, see {@link withinBytes}. */
function measuredPageStatement(source: MetadataSource, content: PageContent): Statement {
  const { select, order, values } = pageOfAccounts(source, content);
  return { text: withinBytes(select, { order, columns: ['preferences'] }), values };
}

function pageOfAccounts(
  source: MetadataSource,
  { sort, size, after, ...filters }: PageContent,
  preferences?: string,
) {
  const { columns, names, isDescending } = orderOf(sort);
  const { conditions, values, bind } = conditionsOf(source, filters);
  const isBySighting = sort.endsWith('lastSeenAt');
  const tables = isBySighting || isSeen(filters) ? WITH_SIGHTINGS : 'users';
  // The page that nearly everybody reads. Its plan depends on no value but the limit, which is therefore in the text.
  const isUsual = conditions.length === 0 && size === DEFAULT_LIMIT + 1;
  const name = isUsual ? `accounts by ${sort}${after === undefined ? '' : ' after'}` : undefined;
  if (after !== undefined) {
    conditions.push(`(${columns.join(', ')}) ${isDescending ? '<' : '>'} (${after.map(bind).join(', ')})`);
  }
  const inOrder = (names: readonly string[]) =>
    names.map((name) => `${name} ${isDescending ? 'desc' : 'asc'}`).join(', ');
  const page = `from ${tables} ${where(conditions)} order by ${inOrder(columns)} limit ${isUsual ? size : bind(size)}`;
  const selection = `${accountTextSelection(source, preferences)}${isBySighting ? ', sightings.last_seen_at as "sightedAt"' : ''}`;
  // A long walk reads an index alone, and at the end only the rows that it found.
  const select = isWalk(filters.q)
    ? `select ${selection} from ${tables} join (select users.id ${page}) as page on page.id = users.id order by ${inOrder(columns)}`
    : `select ${selection} ${page}`;
  return { name, select, order: inOrder(names), values };
}

/**
 * The statement that counts the filtered accounts, up to one beyond the cap. No count needs an order, but with one it uses
 * the same indexes as the pages instead of the whole table.
 */
export function countStatement(source: MetadataSource, filters: AccountFilters): Statement {
  const { conditions, values, bind } = conditionsOf(source, filters);
  return {
    text: `select count(*)::int as count
      from (select from ${isSeen(filters) ? `${WITH_SIGHTINGS} ${where(conditions)} order by last_seen_at, user_id` : `users ${where(conditions)} order by created_at, id`} limit ${bind(COUNT_CAP + 1)}) as counted`,
    values,
  };
}

/**
 * The condition of all filters; empty where there are none. It speaks of `users` and, for the times of a sighting, of `sightings`.
 */
export function filterCondition(
  source: MetadataSource,
  filters: AccountFilters,
): { condition: string; values: readonly unknown[] } {
  const { conditions, values } = conditionsOf(source, filters);
  return { condition: where(conditions), values };
}

/** Every account has a sighting. */
const WITH_SIGHTINGS = 'users join sightings on sightings.user_id = users.id';

function isSeen({ seenSince, seenBefore }: AccountFilters): boolean {
  return seenSince !== undefined || seenBefore !== undefined;
}

function orderOf(sort: Sort) {
  const isDescending = sort.startsWith('-');
  return { isDescending, ...ORDERS[(isDescending ? sort.slice(1) : sort) as keyof typeof ORDERS] };
}

/** A domain that somebody has typed, as emails have it. */
function storedDomain(typed: string): string {
  const folded = foldCase(typed.trim());
  const ascii = asciiDomain(folded);
  return ascii === undefined ? folded : readableDomain(ascii);
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
}

function conditionsOf(source: MetadataSource, filters: AccountFilters) {
  const { values, bind } = parameters();
  const conditions: string[] = [];
  for (const { property, name } of accountColumns(source)) {
    const filter = COLUMN_FILTERS.find((column) => column === property);
    const value = filter && filters[filter];
    if (value !== undefined) conditions.push(`${name} = ${bind(value)}`);
  }
  for (const name of RANGE_NAMES) {
    const { column, operator } = RANGES[name];
    if (filters[name] !== undefined) conditions.push(`${column} ${operator} ${bind(filters[name])}`);
  }
  const { ids, email, domain, q } = filters;
  if (ids !== undefined) conditions.push(`users.id = any(${bind(ids)}::int[])`);
  if (domain !== undefined) conditions.push(`${DOMAIN} = ${bind(storedDomain(domain))}`);
  if (email !== undefined) conditions.push(`email = ${bind(normalizeEmail(email))}`);
  if (q !== undefined) conditions.push(contains(q, bind));
  return { conditions, values, bind };
}
