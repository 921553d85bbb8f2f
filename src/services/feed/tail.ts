import type { EntityManager } from '@mikro-orm/postgresql';
import type { ListenForChanges } from '../../store/change-log.ts';
import { feedEnd, readFeedPage } from '../../store/feed-page.ts';
import { RecentEntries } from './recent-entries.ts';

/** How many entries are fetched at once. */
const PAGE_SIZE = 500;

/** After how many milliseconds it is asked again for what is withheld: growing from the one to the other. */
const MIN_PAUSE_MS = 25;
const MAX_PAUSE_MS = 1_000;

/** Whom a tail tells. */
export interface TailEvents {
  /** There is more in `recent`. */
  readonly onNews: () => void;
  /** The feed cannot be read at the moment; told once, until it can be again. */
  readonly onError: (error: unknown) => void;
}

/** The end of the feed as it grows, read once for all who follow: from where it is when this is made, until it is stopped. */
export class FeedTail {
  readonly #em: EntityManager;
  readonly #events: TailEvents;
  readonly #listening: ReturnType<ListenForChanges>;
  #recent: RecentEntries | undefined;
  #isReading = false;
  #isDue = false;
  #isBehind = false;
  #hasFailed = false;
  #isStopped = false;
  #pauseMs = MIN_PAUSE_MS;
  #nextRead: NodeJS.Timeout | undefined;

  constructor(em: EntityManager, listen: ListenForChanges, events: TailEvents) {
    this.#em = em;
    this.#events = events;
    this.#listening = listen(() => void this.#read());
  }

  /** What has come last; nothing yet, as long as the database has not been asked where the feed ends. */
  get recent(): RecentEntries | undefined {
    return this.#recent;
  }

  /**
   * To be called by whoever has taken all of `recent`. Of much that comes at once, the next page is fetched only then: it
   * would push out what nobody has taken yet, and everybody would have to fetch that again.
   */
  readOn(): void {
    if (this.#isBehind) void this.#read();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#nextRead);
    await this.#listening.stop();
  }

  /** One read at a time; whatever is heard meanwhile is one more. */
  async #read(): Promise<void> {
    this.#isDue = true;
    if (this.#isReading) return;
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
    this.#isReading = false;
    if (!isIncomplete) this.#pauseMs = MIN_PAUSE_MS;
    else if (!this.#isStopped) {
      // Where there is more to fetch, those who follow set the pace.
      const pauseMs = this.#isBehind ? MAX_PAUSE_MS : this.#pauseMs;
      this.#nextRead = setTimeout(() => void this.#read(), pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
    }
  }

  /** Says whether to ask again by ourselves: nobody tells us when the transaction is over that something is withheld for. */
  async #readPage(): Promise<boolean> {
    if (this.#recent === undefined) {
      this.#recent = new RecentEntries(await feedEnd(this.#em));
      this.#events.onNews();
    }
    const { entries, isWithheld } = await readFeedPage(this.#em, this.#recent.end, PAGE_SIZE);
    this.#recent.add(entries);
    this.#isBehind = entries.length === PAGE_SIZE;
    this.#hasFailed = false;
    if (entries.length > 0) this.#events.onNews();
    return isWithheld;
  }
}
