import type { EntityManager } from '@mikro-orm/postgresql';
import type { Change } from '../domain/change.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from './change-rows.ts';
import { readRows } from './rows.ts';

/** A place in the feed: that of an entry, or before the first one. */
export interface FeedPosition {
  /** The transaction's place in the order of commits; 64 bits, so text. */
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

/** SQL for the place below which all is over and done with: no such transaction runs any more. */
export const HORIZON = 'pg_snapshot_xmin(pg_current_snapshot())';

const POSITION = /^(\d{1,19})-(\d{1,15})$/;

/** A position as it leaves: a cursor that outlives every secret. */
export function feedCursor({ transactionId, id }: FeedPosition): string {
  return `${transactionId}-${id}`;
}

/** The position that a cursor names; `undefined` where it is none. */
export function feedPosition(cursor: string): FeedPosition | undefined {
  const [, transactionId, id] = POSITION.exec(cursor) ?? [];
  return transactionId === undefined ? undefined : { transactionId, id: Number(id) };
}

/**
 * The next entries of the feed after a position, `limit` at most, in one query: every change once, in an order that has
 * the changes of an account, and transactions that did not overlap, as they came.
 *
 * What a transaction has written is served once no transaction that began to write before it is running any more. So
 * nothing can appear behind a position that has been served, in whatever order transactions commit.
 */
export async function readFeed(
  em: EntityManager,
  after: FeedPosition,
  limit: number,
): Promise<readonly FeedEntry[]> {
  const rows = await readRows<ChangeRow & { transactionId: string; fields: string[] }>(em, {
    text: `select transaction_id::text as "transactionId", fields, ${CHANGE_COLUMNS} from changes
      where (transaction_id, id) > ($1::xid8, $2::bigint)
        and transaction_id < ${HORIZON}
      order by transaction_id, id limit $3`,
    values: [after.transactionId, after.id, limit],
  });
  return rows.map(({ transactionId, fields, ...row }) => {
    const change = changeOf(em, row);
    return { position: { transactionId, id: change.id }, change, fields };
  });
}
