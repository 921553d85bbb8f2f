import { refusals } from '../../domain/refusals.ts';
import { FEED_START, type FeedPosition, isFeedStart } from '../../store/feed-position.ts';

/** The position, and when it was read: the epoch, and where the log was. Older versions wrote the position alone. */
const CURSOR = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,14})(?:-([0-9a-f]{12})-(0|[1-9]\d{0,17}))?$/;

/** The cursor of a position in the feed. It is not sealed, so that it outlives every secret. */
export function feedCursor(position: FeedPosition): string {
  const { transactionId, id, seen } = position;
  const place = `${transactionId}-${id}`;
  return seen === undefined || isFeedStart(position) ? place : `${place}-${seen.epoch}-${seen.lsn}`;
}

/**
 * The position that a request starts after: the start of the feed without a cursor, or its end for `now`.
 * Throws `bad_cursor`.
 */
export function feedStart(cursor: string | undefined): FeedPosition | 'now' {
  if (cursor === undefined) return FEED_START;
  if (cursor === 'now') return cursor;
  const [, transactionId, id, epoch, lsn] = CURSOR.exec(cursor) ?? [];
  if (transactionId === undefined) throw refusals.badCursor();
  const place = { transactionId, id: Number(id) };
  return epoch === undefined || lsn === undefined ? place : { ...place, seen: { epoch, lsn } };
}
