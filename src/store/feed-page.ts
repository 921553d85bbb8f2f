import type { EntityManager } from '@mikro-orm/postgresql';
import type { Change } from '../domain/change.ts';
import { badCursor } from '../services/paging.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from './change-rows.ts';
import { readRows, type Statement } from './rows.ts';
import { placeOf } from './tables/feed-shift.ts';

/** A place in the feed: that of an entry, or before the first one. */
export interface FeedPosition {
  /** The transaction's place in the order of the feed; 64 bits, so text. */
  readonly transactionId: string;
  readonly id: number;
}

/** An entry of the feed with its place. */
export interface FeedEntry {
  readonly position: FeedPosition;
  readonly change: Change;
  /** The names of the changed fields, with each changed path of the preferences. */
  readonly fields: readonly string[];
}

/** Where the feed begins. */
export const FEED_START: FeedPosition = { transactionId: '0', id: 0 };

const POSITION = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,14})$/;

/** A position as it leaves: a cursor that outlives every secret. */
export function feedCursor({ transactionId, id }: FeedPosition): string {
  return `${transactionId}-${id}`;
}

/** The position that a cursor names; `undefined` where it is none. */
export function feedPosition(cursor: string): FeedPosition | undefined {
  const [, transactionId, id] = POSITION.exec(cursor) ?? [];
  return transactionId === undefined ? undefined : { transactionId, id: Number(id) };
}

/** Which of two positions is the later one: below 0 the second, above 0 the first. */
export function comparePositions(a: FeedPosition, b: FeedPosition): number {
  const [one, other] = [BigInt(a.transactionId), BigInt(b.transactionId)];
  return one === other ? a.id - b.id : one < other ? -1 : 1;
}

/** What there is after a position. */
export interface FeedPage {
  readonly entries: readonly FeedEntry[];
  /** Whether there is an entry at the position; there is none before the first, and yet one may ask for what is after it. */
  readonly isKnown: boolean;
  /** Whether more has been committed, which is not served as long as a transaction runs that is older. */
  readonly isWithheld: boolean;
}

/** SQL for the place below which all is over and done with: no such transaction runs any more. */
export const HORIZON = placeOf('pg_snapshot_xmin(pg_current_snapshot())');

// What is withheld is at the very end, if anything is: nothing else would have the planner look there, and only there.
const PAGE = `
  select coalesce(newest >= horizon, false) as "isWithheld", page.*
    from (select ${HORIZON} as horizon,
                 (select transaction_id from changes order by transaction_id desc, id desc limit 1) as newest) as present
    left join lateral (
      select transaction_id as "transactionId", fields, ${CHANGE_COLUMNS} from changes
       where (transaction_id, id) >= ($1::xid8, $2::bigint) and transaction_id < horizon
       order by transaction_id, id limit $3
    ) as page on true
   order by page."transactionId", page.id`;

const END = `
  select transaction_id as "transactionId", id from changes
   where transaction_id < ${HORIZON} order by transaction_id desc, id desc limit 1`;

/** Reads a page, from the entry that it is after. */
export function pageStatement({ transactionId, id }: FeedPosition, limit: number): Statement {
  return { text: PAGE, values: [transactionId, id, limit + 1] };
}

/** A row of a page; the one of an empty page has nothing in it. */
type Row = { isWithheld: boolean } & (
  | (ChangeRow & { transactionId: string; fields: string[] })
  | { transactionId: null; fields: null }
);

/**
 * The feed after a position, `limit` entries at most, in one query: every change once, in an order that has the changes of
 * an account, and transactions that did not overlap, as they came.
 *
 * What a transaction has written is served once no transaction that began to write before it is running any more. So
 * nothing can appear behind a position that has been served, in whatever order transactions commit.
 */
export async function readFeedPage(em: EntityManager, after: FeedPosition, limit: number): Promise<FeedPage> {
  const rows = await readRows<Row>(em, pageStatement(after, limit));
  const entries = rows.flatMap(({ isWithheld, transactionId, fields, ...row }): FeedEntry[] => {
    if (transactionId === null) return [];
    const change = changeOf(em, row as ChangeRow);
    return [{ position: { transactionId, id: change.id }, change, fields: fields ?? [] }];
  });
  const isThere = entries[0] !== undefined && comparePositions(entries[0].position, after) === 0;
  return {
    entries: isThere ? entries.slice(1) : entries.slice(0, limit),
    isKnown: isThere || comparePositions(after, FEED_START) === 0,
    isWithheld: rows[0]?.isWithheld ?? false,
  };
}

/** The next entries of the feed after a position, as {@link readFeedPage} finds them. */
export async function readFeed(
  em: EntityManager,
  after: FeedPosition,
  limit: number,
): Promise<readonly FeedEntry[]> {
  return (await readFeedPage(em, after, limit)).entries;
}

/** The position of the last entry that is served by now; whatever is committed from now on comes after it. */
export async function feedEnd(em: EntityManager): Promise<FeedPosition> {
  const [last] = await readRows<{ transactionId: string; id: string }>(em, { text: END, values: [] });
  return last === undefined ? FEED_START : { transactionId: last.transactionId, id: Number(last.id) };
}

/**
 * The first page that one who reads the feed gets, and the position that it is after: that of a cursor, the end of the feed
 * (`now`), or its start where none is given. Throws `bad_cursor` where there is no entry that the cursor could be of: it is
 * from another feed, or what it stands for was lost with a database that had to be restored.
 */
export async function openFeed(
  em: EntityManager,
  cursor: string | undefined,
  limit: number,
): Promise<{ after: FeedPosition; entries: readonly FeedEntry[] }> {
  if (cursor === 'now') return { after: await feedEnd(em), entries: [] };
  const after = cursor === undefined ? FEED_START : feedPosition(cursor);
  const page = after && (await readFeedPage(em, after, limit));
  if (page?.isKnown) return { after: after as FeedPosition, entries: page.entries };
  throw badCursor();
}
