import type { Change } from '../domain/change.ts';
import type { Sight } from './feed-epoch.ts';

/** A position in the feed: that of an entry, or before the first one. */
export interface FeedPosition {
  /** The transaction's position in the order of the feed; 64 bits, so text. */
  readonly transactionId: string;
  readonly id: number;
  /** When everything up to here was read; unknown of the start, where nothing was, and of cursors of older versions. */
  readonly seen?: Sight;
}

/** An entry of the feed with its position. */
export interface FeedEntry {
  readonly position: FeedPosition;
  readonly change: Change;
  /** The names of the changed fields, and each changed path of the preferences. */
  readonly fields: readonly string[];
  /** The bytes of its values as JSON. */
  readonly bytes: number;
}

/** The position before the first entry. */
export const FEED_START: FeedPosition = { transactionId: '0', id: 0 };

/** Whether a position is before the first entry. */
export function isFeedStart({ transactionId, id }: FeedPosition): boolean {
  return transactionId === FEED_START.transactionId && id === FEED_START.id;
}

/** Compares two positions: negative where `a` comes first, positive where `b` does, 0 where they are the same. */
export function comparePositions(a: FeedPosition, b: FeedPosition): number {
  const [one, other] = [BigInt(a.transactionId), BigInt(b.transactionId)];
  return one === other ? a.id - b.id : one < other ? -1 : 1;
}
