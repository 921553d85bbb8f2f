import type { EntityManager } from '@mikro-orm/postgresql';
import { CHANGE_COLUMNS, CHANGE_VALUES, type ChangeRow, changeOf } from './change-rows.ts';
import { continuedSql, EPOCH, readInEpoch, type ServerRow, type Sight } from './feed-epoch.ts';
import { HORIZON } from './feed-order.ts';
import { FEED_START, type FeedEntry, type FeedPosition, isFeedStart } from './feed-position.ts';
import { isCutOff, type Measured, type Part, readInParts, unmeasured, withinBytes } from './page-bytes.ts';
import type { Statement } from './statements.ts';

/** A page of the feed after a position. */
export interface FeedPage {
  readonly entries: readonly FeedEntry[];
  /** Whether more may follow at once: it is full. */
  readonly hasMore: boolean;
  /** Whether the position is one of the feed: that of an entry, or the start. */
  readonly isKnown: boolean;
  /** Whether the position was read in a life of the database of which the present one may lack a part. */
  readonly isOutdated: boolean;
  /** Whether more has been committed that is not served yet, because an older transaction is still running. */
  readonly isWithheld: boolean;
  /** When it was read. */
  readonly seen: Sight;
}

// Once, not for each row.
const SERVER = `
  select server.*, ${continuedSql({ id: '$4::text', lsn: '$5::bigint', present: 'server' })} as "isContinued"
    from (${EPOCH}) as server offset 0`;

// Withheld entries are at the very end: asking for the newest one keeps the planner there.
const PAGE = `
  select coalesce(newest >= horizon, false) as "isWithheld", server.*, page.*,
         exists (select from changes where (transaction_id, id) = ($1::xid8, $2::bigint) and transaction_id < horizon) as "isThere"
    from (${SERVER}) as server
   cross join (select ${HORIZON} as horizon,
                 (select transaction_id from changes order by transaction_id desc, id desc limit 1) as newest) as present
    left join lateral (${withinBytes(
      `select transaction_id as "transactionId", fields, ${CHANGE_COLUMNS} from changes
        where (transaction_id, id) > ($1::xid8, $2::bigint) and transaction_id < horizon
        order by transaction_id, id limit $3`,
      { order: '"transactionId", id', columns: CHANGE_VALUES },
    )}) as page on true
   order by page."transactionId", page.id`;

/** SQL for the last entry that is served now: its transaction and its id. */
export const FEED_END = `select transaction_id, id from changes
   where transaction_id < ${HORIZON} order by transaction_id desc, id desc limit 1`;

const END = `
  select epoch, lsn, transaction_id as "transactionId", id
    from (${EPOCH}) as server left join (${FEED_END}) as last on true`;

/** The statement that reads entries after a position, and whether that is the position of one. */
export function pageStatement({ transactionId, id, seen }: FeedPosition, limit: number): Statement {
  return { text: PAGE, values: [transactionId, id, limit, seen?.epoch ?? null, seen?.lsn ?? null] };
}

/** What each row says of the server, and of the position. */
type ServedRow = ServerRow & {
  isThere: boolean;
  isWithheld: boolean;
  isContinued: boolean;
  epochNumber: number;
};
type EntryRow = ServedRow & ChangeRow & Measured & { transactionId: string; fields: string[] };

/** A row of a page; an empty page has one row without an entry. */
type Row = EntryRow | (ServedRow & { transactionId: null });

/**
 * Reads the feed after a position, at most `limit` entries and as many as have room on a page: every change once, in an order that
 * keeps the changes of an account, and transactions that did not overlap, in commit order.
 *
 * The changes of a transaction are served once every transaction that began writing before it has ended. So nothing can
 * appear before a position that has been served, whatever the order of commits.
 */
export async function readFeedPage(em: EntityManager, after: FeedPosition, limit: number): Promise<FeedPage> {
  let first: FeedPart | undefined;
  let isWithheld = false;
  const { rows, isCut } = await readInParts<FeedEntry>(limit, async (last, size) => {
    const part = await readPart(em, last?.position ?? after, size);
    first ??= part;
    ({ isWithheld } = part);
    // A failover in between: who reads on from here is told.
    return part.isOutdated && last !== undefined ? { rows: [], isCut: true } : part;
  });
  const { isKnown, isOutdated, seen } = first as FeedPart;
  return { entries: rows, hasMore: isCut || rows.length === limit, isKnown, isOutdated, isWithheld, seen };
}

/** What one query reads. */
type FeedPart = Omit<FeedPage, 'entries' | 'hasMore'> & Part<FeedEntry>;

async function readPart(em: EntityManager, after: FeedPosition, limit: number): Promise<FeedPart> {
  const { rows, seen } = await readInEpoch<Row>(em, pageStatement(after, limit));
  const { isThere = false, isWithheld = false, isContinued = false, epochNumber = 0 } = rows[0] ?? {};
  const found = rows.filter((row): row is EntryRow => row.transactionId !== null);
  // What older versions served counts as read in the first epoch, which began with the first start of this one.
  const isOutdated = after.seen === undefined ? epochNumber > 1 : !isContinued;
  return {
    rows: found.map((row): FeedEntry => {
      const { isThere, isWithheld, isContinued, epochNumber, epoch, lsn, transactionId, fields, ...own } =
        row;
      const change = changeOf(em, unmeasured(own));
      return { position: { transactionId, id: change.id, seen }, change, fields, bytes: row.bytes };
    }),
    isCut: isCutOff(found),
    isKnown: isThere || isFeedStart(after),
    isOutdated: isOutdated && !isFeedStart(after),
    isWithheld,
    seen,
  };
}

/** The position of the last entry that is served now; everything committed later comes after it. */
export async function feedEnd(em: EntityManager): Promise<FeedPosition & { readonly seen: Sight }> {
  type End = ServerRow & { transactionId: string | null; id: string };
  const { rows, seen } = await readInEpoch<End>(em, { text: END, values: [] });
  const [last] = rows;
  if (last === undefined || last.transactionId === null) return { ...FEED_START, seen };
  return { transactionId: last.transactionId, id: Number(last.id), seen };
}
