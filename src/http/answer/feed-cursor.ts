import { refusals } from '../../domain/refusals.ts';
import { FEED_START, type FeedPosition } from '../../store/feed-position.ts';

const CURSOR = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,14})$/;

/** The cursor of a position in the feed. It is not sealed, so that it outlives every secret. */
export function feedCursor({ transactionId, id }: FeedPosition): string {
  return `${transactionId}-${id}`;
}

/**
 * The position that a request starts after: the start of the feed without a cursor, or its end for `now`.
 * Throws `bad_cursor`.
 */
export function feedStart(cursor: string | undefined): FeedPosition | 'now' {
  if (cursor === undefined) return FEED_START;
  if (cursor === 'now') return cursor;
  const [, transactionId, id] = CURSOR.exec(cursor) ?? [];
  if (transactionId === undefined) throw refusals.badCursor();
  return { transactionId, id: Number(id) };
}
