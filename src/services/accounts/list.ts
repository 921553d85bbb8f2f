import type { EntityManager } from '@mikro-orm/postgresql';
import { normalizeEmail } from '../../domain/email.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Column, Role, Status, StorageMode } from '../../domain/user.ts';
import {
  type AccountTexts,
  accountColumns,
  accountTextSelection,
  type MetadataSource,
} from '../../store/account-columns.ts';
import { type Measured, partOf, readInParts, withinBytes } from '../../store/page-bytes.ts';
import { parameters, runAlone, runWithin, type Statement } from '../../store/statements.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, type Position, pageOf } from '../paging.ts';
import { contains, isWalk } from './search.ts';
import { accountJson } from './view.ts';

/** The orders of the list; without a minus, ascending. */
export const SORTS = ['createdAt', '-createdAt', 'email', '-email'] as const;
/** One of them. */
export type Sort = (typeof SORTS)[number];

/** Filters of the list: accounts match all that are given. */
export interface AccountFilters {
  readonly role?: Role | undefined;
  readonly status?: Status | undefined;
  readonly storageMode?: StorageMode | undefined;
  /** The whole email, in any form of it. */
  readonly email?: string | undefined;
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
};

/** How long a walk may take, in milliseconds. It reads about a million accounts; nobody waits longer for what they type. */
const MAX_WALK_MS = 1_000;

/**
 * Reads a page of the accounts in one query, or a few where it is long, see {@link readInParts}; the total takes another one.
 * Pages continue where the last one ended (keyset pagination) and not after a number of rows: every page costs the same, and
 * concurrent inserts and deletions neither hide an account nor show it twice. Throws `invalid_query` for a short text that hardly any of very many accounts contains.
 */
export async function listAccounts(em: EntityManager, request: ListRequest): Promise<AccountPage> {
  const { sort = '-createdAt', limit = DEFAULT_LIMIT, total } = request;
  const read = isWalk(request.q) ? walk(performance.now() + MAX_WALK_MS) : runAlone;
  const { positionOf } = orderOf(sort);
  const { rows, isCut } = await readInParts<AccountTexts & Measured>(limit + 1, async (last, size) => {
    const after = last === undefined ? request.after : positionOf(last);
    return partOf(await read(em, pageStatement(em, { ...request, sort, after, size })));
  });
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

/** Reads until a time of `performance.now()`. */
function walk(deadline: number) {
  return async <Row>(em: EntityManager, statement: Statement): Promise<Row[]> => {
    const rows = await runWithin<Row>(em, deadline - performance.now(), statement);
    if (rows !== undefined) return rows;
    const message = 'Took too long to find: search for at least three letters or digits in a row.';
    throw refusals.invalidQuery([{ path: 'q', message }]);
  };
}

/** The statement that reads `size` accounts of a page, which begins `after` a position. */
export function pageStatement(
  source: MetadataSource,
  {
    sort,
    size,
    after,
    ...filters
  }: AccountFilters & { sort: Sort; size: number; after?: Position | undefined },
): Statement {
  const { columns, names, isDescending } = orderOf(sort);
  const { conditions, values, bind } = conditionsOf(source, filters);
  // The page that nearly everybody reads. Its plan depends on no value but the limit, which is therefore in the text.
  const isUsual = conditions.length === 0 && size === DEFAULT_LIMIT + 1;
  if (after !== undefined) {
    conditions.push(`(${columns.join(', ')}) ${isDescending ? '<' : '>'} (${after.map(bind).join(', ')})`);
  }
  const inOrder = (names: readonly string[]) =>
    names.map((name) => `${name} ${isDescending ? 'desc' : 'asc'}`).join(', ');
  const page = `from users ${where(conditions)} order by ${inOrder(columns)} limit ${isUsual ? size : bind(size)}`;
  const selection = accountTextSelection(source);
  return {
    name: isUsual ? `accounts by ${sort}${after === undefined ? '' : ' after'}` : undefined,
    // A long walk reads an index alone, and at the end only the rows that it found.
    text: withinBytes(
      isWalk(filters.q)
        ? `select ${selection} from users join (select id ${page}) as page using (id)`
        : `select ${selection} ${page}`,
      { order: inOrder(names), columns: ['preferences'] },
    ),
    values,
  };
}

/**
 * The statement that counts the filtered accounts, up to one beyond the cap. No count needs an order, but with one it uses
 * the same indexes as the pages instead of the whole table.
 */
export function countStatement(source: MetadataSource, filters: AccountFilters): Statement {
  const { conditions, values, bind } = conditionsOf(source, filters);
  return {
    text: `select count(*)::int as count
      from (select from users ${where(conditions)} order by created_at, id limit ${bind(COUNT_CAP + 1)}) as counted`,
    values,
  };
}

function orderOf(sort: Sort) {
  const isDescending = sort.startsWith('-');
  return { isDescending, ...ORDERS[(isDescending ? sort.slice(1) : sort) as keyof typeof ORDERS] };
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
  const { email, q } = filters;
  if (email !== undefined) conditions.push(`email = ${bind(normalizeEmail(email))}`);
  if (q !== undefined) conditions.push(contains(q, bind));
  return { conditions, values, bind };
}
