import type { Change } from '../domain/change.ts';

/** A position in the feed: that of an entry, or before the first one. */
export interface FeedPosition {
  /** The transaction's position in the order of the feed; 64 bits, so text. */
  readonly transactionId: string;
  readonly id: number;
}

/** An entry of the feed with its position. */
export interface FeedEntry {
  readonly position: FeedPosition;
  readonly change: Change;
  /** The names of the changed fields, and each changed path of the preferences. */
  readonly fields: readonly string[];
}

/** The position before the first entry. */
export const FEED_START: FeedPosition = { transactionId: '0', id: 0 };

/** Compares two positions: negative where `a` comes first, positive where `b` does, 0 where they are the same. */
export function comparePositions(a: FeedPosition, b: FeedPosition): number {
  const [one, other] = [BigInt(a.transactionId), BigInt(b.transactionId)];
  return one === other ? a.id - b.id : one < other ? -1 : 1;
}
