import type { EntityManager } from '@mikro-orm/postgresql';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from './change-rows.ts';
import { HORIZON } from './feed-order.ts';
import { comparePositions, FEED_START, type FeedEntry, type FeedPosition } from './feed-position.ts';
import { runAlone, type Statement } from './statements.ts';

/** A page of the feed after a position. */
export interface FeedPage {
  readonly entries: readonly FeedEntry[];
  /** Whether the position is one of the feed: that of an entry, or the start. */
  readonly isKnown: boolean;
  /** Whether more has been committed that is not served yet, because an older transaction is still running. */
  readonly isWithheld: boolean;
}

// Withheld entries are at the very end: asking for the newest one keeps the planner there.
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

/** SQL for the last entry that is served now: its transaction and its id. */
export const FEED_END = `select transaction_id, id from changes
   where transaction_id < ${HORIZON} order by transaction_id desc, id desc limit 1`;

const END = `select transaction_id as "transactionId", id from (${FEED_END}) as last`;

/** The statement that reads a page, beginning with the entry at the position. */
export function pageStatement({ transactionId, id }: FeedPosition, limit: number): Statement {
  return { text: PAGE, values: [transactionId, id, limit + 1] };
}

/** A row of a page; an empty page has one row without an entry. */
type Row = { isWithheld: boolean } & (
  | (ChangeRow & { transactionId: string; fields: string[] })
  | { transactionId: null; fields: null }
);

/**
 * Reads the feed after a position, at most `limit` entries, in one query: every change once, in an order that keeps the
 * changes of an account, and transactions that did not overlap, in commit order.
 *
 * The changes of a transaction are served once every transaction that began writing before it has ended. So nothing can
 * appear before a position that has been served, whatever the order of commits.
 */
export async function readFeedPage(em: EntityManager, after: FeedPosition, limit: number): Promise<FeedPage> {
  const rows = await runAlone<Row>(em, pageStatement(after, limit));
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

/** The next entries of the feed after a position. See {@link readFeedPage}. */
export async function readFeed(
  em: EntityManager,
  after: FeedPosition,
  limit: number,
): Promise<readonly FeedEntry[]> {
  return (await readFeedPage(em, after, limit)).entries;
}

/** The position of the last entry that is served now; everything committed later comes after it. */
export async function feedEnd(em: EntityManager): Promise<FeedPosition> {
  const [last] = await runAlone<{ transactionId: string; id: string }>(em, { text: END, values: [] });
  return last === undefined ? FEED_START : { transactionId: last.transactionId, id: Number(last.id) };
}
