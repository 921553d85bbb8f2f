import type { EntityManager } from '@mikro-orm/postgresql';
import { feedEnd, readFeedPage } from '../../store/feed-page.ts';
import type { News } from './news.ts';
import { RecentEntries } from './recent-entries.ts';

/** How many entries are fetched at once. */
const PAGE_SIZE = 500;

/** The pauses between reads of withheld entries, in milliseconds: each twice as long as the one before. */
const MIN_PAUSE_MS = 25;
const MAX_PAUSE_MS = 1_000;

/** A tail's callbacks. */
export interface TailEvents {
  /** `recent` has grown, or begins again. */
  readonly onGrowth: () => void;
  /** Told of the epoch of each read. */
  readonly onEpoch: (epoch: string) => void;
  /** The feed cannot be read; called once, until it can be read again. */
  readonly onError: (error: unknown) => void;
}

/** The end of the feed as it grows, read once for all who follow: from its creation until it is stopped. */
export class FeedTail {
  readonly #em: EntityManager;
  readonly #events: TailEvents;
  readonly #unsubscribe: () => Promise<void>;
  #recent: RecentEntries | undefined;
  #isReading = false;
  #isDue = false;
  #isBehind = false;
  #hasFailed = false;
  #isStopped = false;
  #pauseMs = MIN_PAUSE_MS;
  #nextRead: NodeJS.Timeout | undefined;

  constructor(em: EntityManager, news: News, events: TailEvents) {
    this.#em = em;
    this.#events = events;
    this.#unsubscribe = news.subscribe(() => {
      // While there is more to fetch, the followers set the pace.
      if (!this.#isBehind) this.#refresh();
    });
  }

  /** The latest entries; `undefined` until the database has said where the feed ends. */
  get recent(): RecentEntries | undefined {
    return this.#recent;
  }

  /** Whether the feed could not be read the last time. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Called by a follower that has taken all of `recent`. Of a large burst, the next page is fetched only then: it would push
   * out entries that nobody has taken yet, and everybody would have to fetch those again.
   */
  readOn(): void {
    if (this.#isBehind) this.#refresh();
  }

  /** Forgets these entries, because a reader has found the database in another epoch. */
  drop(outdated: RecentEntries): void {
    if (this.#recent !== outdated) return;
    this.#recent = undefined;
    this.#isBehind = false;
    this.#refresh();
  }

  /** Stops reading and listening. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#nextRead);
    await this.#unsubscribe();
  }

  /** Reads what has been committed so far into `recent`. One read at a time; a call during a read causes one more. */
  #refresh(): void {
    this.#isDue = true;
    if (!this.#isReading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    clearTimeout(this.#nextRead);
    let isIncomplete = false;
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false;
      isIncomplete = await this.#readPage().catch((error: unknown) => {
        if (!this.#hasFailed && !this.#isStopped) this.#events.onError(error);
        this.#hasFailed = true;
        return true;
      });
    }
    // With nothing awaited in between, no call can come after the last read and before this.
    this.#isReading = false;
    if (!isIncomplete) this.#pauseMs = MIN_PAUSE_MS;
    else if (!this.#isStopped) {
      // While there is more to fetch, the followers set the pace.
      const pauseMs = this.#isBehind ? MAX_PAUSE_MS : this.#pauseMs;
      this.#nextRead = setTimeout(() => this.#refresh(), pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
    }
  }

  /** Returns whether to read again without news: nothing announces the end of the transaction that withholds entries. */
  async #readPage(): Promise<boolean> {
    this.#recent ??= await this.#begin();
    const recent = this.#recent;
    const { entries, hasMore, isWithheld, seen } = await readFeedPage(this.#em, recent.end, PAGE_SIZE);
    this.#hasFailed = false;
    this.#events.onEpoch(seen.epoch);
    if (seen.epoch !== recent.epoch) this.drop(recent);
    // A reader may have found that out meanwhile.
    if (this.#recent !== recent) return true;
    recent.add(entries);
    this.#isBehind = hasMore;
    if (entries.length > 0) this.#events.onGrowth();
    return isWithheld;
  }

  async #begin(): Promise<RecentEntries> {
    const end = await feedEnd(this.#em);
    this.#events.onEpoch(end.seen.epoch);
    const recent = new RecentEntries(end);
    this.#recent = recent;
    this.#events.onGrowth();
    return recent;
  }
}
