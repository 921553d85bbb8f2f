import type { EntityManager } from '@mikro-orm/postgresql';
import { normalizeEmail } from '../../domain/email.ts';
import type { Account, Role, Status, StorageMode } from '../../domain/user.ts';
import type { CursorCodec, Position } from '../../security/cursor.ts';
import { dateOf, parameters, readRows, type Statement } from '../../store/rows.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, positionOf } from '../paging.ts';

/** The orders of the list; the one without a minus goes up. */
export const SORTS = ['createdAt', '-createdAt', 'email', '-email'] as const;
/** One of them. */
export type Sort = (typeof SORTS)[number];

/** Which accounts to list: those that fit all that is given. */
export interface AccountFilters {
  readonly role?: Role | undefined;
  readonly status?: Status | undefined;
  readonly storageMode?: StorageMode | undefined;
  /** The whole email, in any form of it. */
  readonly email?: string | undefined;
  /** A part of the email or of the name, in any case; every character stands for itself. */
  readonly q?: string | undefined;
}

/** Which page of which list. */
export interface ListRequest extends AccountFilters, PageRequest {
  /** Newest first, where it is not given. */
  readonly sort?: Sort | undefined;
  /** Whether to count the whole list as well. */
  readonly total?: boolean | undefined;
}

/** A page of the list. */
export interface AccountPage extends Page<Account> {
  /** How many accounts the whole list has; when `capped`, it has more than that. */
  readonly total?: { readonly count: number; readonly capped: boolean };
}

/** How far a list is counted: the one part of the answer that gets slower as the list gets longer. */
export const COUNT_CAP = 10_000;

/** A row of the list: an account, its times as PostgreSQL writes them, to the microsecond. */
type Row = Omit<Account, 'createdAt' | 'updatedAt'> & { createdAt: string; updatedAt: string };

const COLUMNS = `id, email, name, role, status, preferences, storage_mode as "storageMode", version,
  created_at as "createdAt", updated_at as "updatedAt"`;

/** Each order's columns, which together are unique, and a row's place in it. */
const ORDERS = {
  createdAt: { columns: ['created_at', 'id'], placeOf: (row: Row): Position => [row.createdAt, row.id] },
  email: { columns: ['email'], placeOf: (row: Row): Position => [row.email] },
};

/** Three letters or digits in a row, as pg_trgm sees them: with fewer, a trigram index knows nothing of the text. */
const HAS_TRIGRAM = /[\p{L}0-9]{3}/u;

/**
 * A page of the accounts, in one query; the total takes a second. Pages go on where the last one ended (keyset pagination),
 * not after so many rows: each costs the same, and what others insert and delete meanwhile neither hides an account nor
 * shows it twice. Throws `bad_cursor`.
 */
export async function listAccounts(
  em: EntityManager,
  cursors: CursorCodec,
  request: ListRequest,
): Promise<AccountPage> {
  const { sort = '-createdAt', limit = DEFAULT_LIMIT, cursor, total } = request;
  const { role, status, storageMode, email, q } = request;
  const scope = ['accounts', sort, role, status, storageMode, email, q];
  const after = positionOf(cursors, cursor, scope);

  const rows = await readRows<Row>(em, pageStatement({ ...request, sort, limit }, after));
  // One row more than asked for says that there is a next page.
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  const [counted] = total ? await readRows<{ count: number }>(em, countStatement(request)) : [];
  return {
    items: rows
      .slice(0, limit)
      .map((row) => ({ ...row, createdAt: dateOf(em, row.createdAt), updatedAt: dateOf(em, row.updatedAt) })),
    next: last === undefined ? null : cursors.seal(orderOf(sort).placeOf(last), scope),
    ...(counted && {
      total: { count: Math.min(counted.count, COUNT_CAP), capped: counted.count > COUNT_CAP },
    }),
  };
}

/** Reads a page that begins `after` a place in its order, and one row beyond it. */
export function pageStatement(
  { sort, limit, ...filters }: AccountFilters & { sort: Sort; limit: number },
  after?: Position,
): Statement {
  const { columns, descending } = orderOf(sort);
  const { conditions, values, bind } = conditionsOf(filters);
  if (after !== undefined) {
    conditions.push(`(${columns.join(', ')}) ${descending ? '<' : '>'} (${after.map(bind).join(', ')})`);
  }
  const order = `order by ${columns.map((column) => `${column} ${descending ? 'desc' : 'asc'}`).join(', ')}`;
  const page = `from users ${where(conditions)} ${order} limit ${bind(limit + 1)}`;
  const isWalk = filters.q !== undefined && !HAS_TRIGRAM.test(filters.q);
  return {
    // A long walk looks at an index alone, and only at the end at the rows that it has found.
    text: isWalk
      ? `select ${COLUMNS} from users join (select id ${page}) as page using (id) ${order}`
      : `select ${COLUMNS} ${page}`,
    values,
  };
}

/**
 * Counts what the filters let through, as far as one row beyond the cap. In order, though no count needs one: so it goes
 * by the same indexes as the pages, and not by the whole table.
 */
export function countStatement(filters: AccountFilters): Statement {
  const { conditions, values, bind } = conditionsOf(filters);
  return {
    text: `select count(*)::int as count
      from (select from users ${where(conditions)} order by created_at, id limit ${bind(COUNT_CAP + 1)}) as counted`,
    values,
  };
}

function orderOf(sort: Sort) {
  const descending = sort.startsWith('-');
  return { descending, ...ORDERS[(descending ? sort.slice(1) : sort) as keyof typeof ORDERS] };
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
}

function conditionsOf({ role, status, storageMode, email, q }: AccountFilters) {
  const { values, bind } = parameters();
  const conditions: string[] = [];
  if (role !== undefined) conditions.push(`role = ${bind(role)}`);
  if (status !== undefined) conditions.push(`status = ${bind(status)}`);
  if (storageMode !== undefined) conditions.push(`storage_mode = ${bind(storageMode)}`);
  if (email !== undefined) conditions.push(`email = ${bind(normalizeEmail(email))}`);
  if (q !== undefined) conditions.push(partOf(q, bind));
  return { conditions, values, bind };
}

/**
 * The condition that an email or a name contains `q`.
 *
 * With a trigram in it, PostgreSQL chooses by its statistics between the trigram indexes, for what is rare, and the list's
 * order, which it follows until the page is full, for what is common. Without one, only the second can be: `strpos`, of
 * which it has no statistics, makes it suppose that a third of all fits, where after `like` it might read and sort the
 * whole table. So a short text that hardly anybody has costs a walk along the index; an index of all pairs of
 * characters would spare that, but double the time of every import.
 */
function partOf(q: string, bind: (value: unknown) => string): string {
  // Emails are kept in this form. Not trimmed: they have no blanks, so that nothing with a blank is part of one.
  const inEmail = q.normalize('NFKC').toLowerCase().normalize('NFKC');
  return HAS_TRIGRAM.test(q)
    ? `(email like ${bind(likePart(inEmail))} or name ilike ${bind(likePart(q))})`
    : `(strpos(email, ${bind(inEmail)}) > 0 or strpos(lower(name), lower(${bind(q)})) > 0)`;
}

function likePart(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}
