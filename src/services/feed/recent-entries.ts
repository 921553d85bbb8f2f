import type { Sight } from '../../store/feed-epoch.ts';
import { comparePositions, type FeedEntry, type FeedPosition } from '../../store/feed-position.ts';
import { PAGE_BYTES } from '../../store/page-bytes.ts';

/** The most entries that are kept, and the most bytes of their values. */
const MAX_ENTRIES = 1_000;
const MAX_BYTES = 8 * PAGE_BYTES;

/** How long entries may be used after they were read, in milliseconds: what is erased from the history must not live on. */
export const MAX_AGE_MS = 30_000;

/** Entries of the feed, and when the oldest of them was read (`performance.now()`). */
export interface ReadEntries {
  readonly entries: readonly FeedEntry[];
  /** Whether more may follow at once. */
  readonly hasMore: boolean;
  readonly readAt: number;
  /** The life of the database that has them. */
  readonly epoch: string;
}

/** The newest part of the feed in one epoch, without a gap, in bounded memory: many readers follow, one fetches. */
export class RecentEntries {
  readonly epoch: string;
  #start: FeedPosition;
  #entries: { readonly entry: FeedEntry; readonly readAt: number }[] = [];
  #bytes = 0;

  /** Begins after this position. */
  constructor(start: FeedPosition & { readonly seen: Sight }) {
    this.#start = start;
    this.epoch = start.seen.epoch;
  }

  /** Everything after this position is here. */
  get start(): FeedPosition {
    return this.#start;
  }

  /** The position of the newest entry. */
  get end(): FeedPosition {
    return this.#entries.at(-1)?.entry.position ?? this.#start;
  }

  /** Adds the entries that come after the end, possibly none, and forgets old ones. */
  add(entries: readonly FeedEntry[]): void {
    const readAt = performance.now();
    this.#entries.push(...entries.map((entry) => ({ entry, readAt })));
    for (const { bytes } of entries) this.#bytes += bytes;
    this.#forget();
  }

  #forget(): void {
    const now = performance.now();
    const tooMany = this.#entries.length - MAX_ENTRIES;
    let tooLarge = this.#bytes - MAX_BYTES;
    const kept = this.#entries.findIndex(({ entry, readAt }, index) => {
      if (tooLarge <= 0 && index >= tooMany && now - readAt < MAX_AGE_MS) return true;
      tooLarge -= entry.bytes;
      return false;
    });
    const forgotten = this.#entries.splice(0, kept === -1 ? this.#entries.length : kept);
    for (const { entry } of forgotten) this.#bytes -= entry.bytes;
    this.#start = forgotten.at(-1)?.entry.position ?? this.#start;
  }

  /**
   * The entries after a position, at most `limit` and as many as have room on a page; `undefined` where the position is before the
   * start.
   */
  after(position: FeedPosition, limit: number): ReadEntries | undefined {
    this.#forget();
    if (comparePositions(position, this.#start) < 0) return undefined;
    const last = this.#entries.findLastIndex(({ entry }) => comparePositions(entry.position, position) <= 0);
    const most = this.#entries.slice(last + 1, last + 1 + limit);
    let bytes = 0;
    const full = most.findIndex(({ entry }) => {
      bytes += entry.bytes;
      return bytes >= PAGE_BYTES;
    });
    const recent = full === -1 ? most : most.slice(0, full + 1);
    return {
      entries: recent.map(({ entry }) => entry),
      hasMore: recent.length === limit || full !== -1,
      readAt: recent[0]?.readAt ?? performance.now(),
      epoch: this.epoch,
    };
  }
}
