import { comparePositions, type FeedEntry, type FeedPosition } from '../../store/feed-page.ts';

/** How many entries are kept at the most. */
const MAX_ENTRIES = 1_000;

/** For how long, in milliseconds: what is erased from the history must not live on here. */
const MAX_AGE_MS = 30_000;

/** The newest part of the feed, without a gap, in bounded memory: what many read who follow, but is fetched only once. */
export class RecentEntries {
  #start: FeedPosition;
  #entries: { readonly entry: FeedEntry; readonly arrived: number }[] = [];

  /** It begins after this position. */
  constructor(start: FeedPosition) {
    this.#start = start;
  }

  /** All after this position is here. */
  get start(): FeedPosition {
    return this.#start;
  }

  /** The position of the newest entry. */
  get end(): FeedPosition {
    return this.#entries.at(-1)?.entry.position ?? this.#start;
  }

  /** Takes what comes after the end, which may be nothing, and forgets what is old. */
  add(entries: readonly FeedEntry[]): void {
    const now = performance.now();
    this.#entries.push(...entries.map((entry) => ({ entry, arrived: now })));
    const tooMany = this.#entries.length - MAX_ENTRIES;
    const kept = this.#entries.findIndex(
      ({ arrived }, index) => index >= tooMany && now - arrived < MAX_AGE_MS,
    );
    const forgotten = this.#entries.splice(0, kept === -1 ? this.#entries.length : kept);
    this.#start = forgotten.at(-1)?.entry.position ?? this.#start;
  }

  /** The entries after a position, `limit` at most; `undefined` where it lies before the start. */
  after(position: FeedPosition, limit: number): readonly FeedEntry[] | undefined {
    if (comparePositions(position, this.#start) < 0) return undefined;
    const last = this.#entries.findLastIndex(({ entry }) => comparePositions(entry.position, position) <= 0);
    return this.#entries.slice(last + 1, last + 1 + limit).map(({ entry }) => entry);
  }
}
