import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { ListenForChanges } from '../../store/change-log.ts';
import { readFeedPage } from '../../store/feed-page.ts';
import {
  comparePositions,
  type FeedEntry,
  type FeedPosition,
  isFeedStart,
} from '../../store/feed-position.ts';
import { News } from './news.ts';
import { openFeed } from './open-feed.ts';
import type { ReadEntries } from './recent-entries.ts';
import { FeedTail } from './tail.ts';

/** How long the tail is kept without followers, in milliseconds: most come back at once. */
const LINGER_MS = 10_000;

/** How many followers are woken in a turn of the event loop. */
const WOKEN_AT_ONCE = 32;

/** How to follow the feed. */
export interface FollowOptions {
  /** The most entries at once. */
  readonly limit: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** After how many milliseconds of silence to yield an empty batch. Default: never. */
  readonly beatMs?: number;
}

/** What a ChangeFeed needs. */
export interface ChangeFeedDeps {
  /** Only for reading. */
  readonly em: EntityManager;
  readonly listen: ListenForChanges;
  /** The feed cannot be read at the moment. */
  readonly onError: (error: unknown) => void;
  /** Told of the epoch of each read. */
  readonly onEpoch?: (epoch: string) => void;
  /** Default: {@link LINGER_MS}. */
  readonly lingerMs?: number;
}

/**
 * The change feed for everybody in this process: event streams, waiting requests and webhooks. The process listens once for all
 * of them, and reads each change once for all followers; what is read for them serves webhooks too. Without followers it reads
 * only what a webhook asks for, and without subscribers it does not listen.
 */
export class ChangeFeed {
  readonly #deps: ChangeFeedDeps;
  readonly #news: News;
  readonly #followers = new Set<() => void>();
  #tail: FeedTail | undefined;
  #lingering: NodeJS.Timeout | undefined;

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps;
    this.#news = new News(deps.listen);
  }

  /** How many follow it: event streams and waiting requests. */
  get followers(): number {
    return this.#followers.size;
  }

  /** Whether its followers get nothing, because it could not be read the last time. */
  get isFailing(): boolean {
    return this.#tail?.hasFailed ?? false;
  }

  /** Calls `wake` whenever there may be new changes, and reads nothing. Returns how to end it. See {@link News.subscribe}. */
  onNews(wake: () => void): () => Promise<void> {
    return this.#news.subscribe(wake);
  }

  /**
   * Reads the next entries after a position in `epoch`: those that were read for followers, if there are some, or the database,
   * which may be in another epoch.
   */
  async read(after: FeedPosition, limit: number, epoch: string): Promise<ReadEntries> {
    const recent = this.#tail?.recent;
    const known = recent?.epoch === epoch ? recent.after(after, limit) : undefined;
    if (known !== undefined && known.entries.length > 0) return known;
    const readAt = performance.now();
    const { entries, hasMore, seen } = await readFeedPage(this.#deps.em, after, limit);
    this.#deps.onEpoch?.(seen.epoch);
    return { entries, hasMore, readAt, epoch: seen.epoch };
  }

  /**
   * Yields the entries after a position as they come: each once, in the order of the feed, until the signal aborts. What
   * lies before the tail is read page by page, no faster than it is taken; so it is again for a follower that falls behind.
   * When the database begins another epoch, it goes on where the new one has all that was yielded, and otherwise throws
   * `cursor_outdated`.
   */
  async *follow(
    after: FeedPosition,
    { limit, signal, beatMs }: FollowOptions,
  ): AsyncGenerator<readonly FeedEntry[], undefined> {
    let position = after;
    let wake: (isNews: boolean) => void = () => undefined;
    const awake = () => wake(true);
    const { tail, leave } = this.#join(awake);
    signal.addEventListener('abort', awake);
    try {
      while (!signal.aborted) {
        const { recent } = tail;
        const known = recent && isOf(recent.epoch, position) ? recent.after(position, limit) : undefined;
        if (recent !== undefined && known === undefined) {
          const { start } = recent;
          const opened = await openFeed(this.#deps.em, position, limit);
          const { after: reread, entries: older, hasMore, seen } = opened;
          this.#deps.onEpoch?.(seen.epoch);
          const isSame = seen.epoch === recent.epoch;
          if (!isSame) tail.drop(recent);
          // In another epoch it holds as of now.
          position = older.at(-1)?.position ?? (isOf(seen.epoch, reread) ? reread : { ...reread, seen });
          // The start was served before: a page with room to spare has everything before it.
          if (isSame && !hasMore && comparePositions(position, start) < 0) position = start;
          if (older.length > 0) yield older;
        } else if (known !== undefined && known.entries.length > 0) {
          position = (known.entries.at(-1) as FeedEntry).position;
          yield known.entries;
        } else {
          tail.readOn();
          let beat: NodeJS.Timeout | undefined;
          const isNews = await new Promise<boolean>((resolve) => {
            wake = resolve;
            if (beatMs !== undefined) beat = setTimeout(resolve, beatMs, false);
          });
          clearTimeout(beat);
          if (!isNews) yield [];
        }
      }
    } finally {
      signal.removeEventListener('abort', awake);
      leave();
    }
  }

  /** Stops all listening and reading at once. Followers and subscribers hear nothing more. */
  async close(): Promise<void> {
    await this.#stopTail();
    await this.#news.close();
  }

  #join(wake: () => void): { tail: FeedTail; leave: () => void } {
    clearTimeout(this.#lingering);
    this.#followers.add(wake);
    const { em, onError, onEpoch = () => undefined, lingerMs = LINGER_MS } = this.#deps;
    const onGrowth = () => void this.#wakeAll();
    this.#tail ??= new FeedTail(em, this.#news, { onGrowth, onError, onEpoch });
    return {
      tail: this.#tail,
      leave: () => {
        this.#followers.delete(wake);
        if (this.#followers.size > 0) return;
        clearTimeout(this.#lingering);
        this.#lingering = setTimeout(() => void this.#stopTail(), lingerMs).unref();
      },
    };
  }

  /** Wakes all followers, some in each turn of the event loop: other requests come in between. */
  async #wakeAll(): Promise<void> {
    for (const [index, wake] of [...this.#followers].entries()) {
      if (index % WOKEN_AT_ONCE === WOKEN_AT_ONCE - 1) await nextTurn();
      wake();
    }
  }

  async #stopTail(): Promise<void> {
    clearTimeout(this.#lingering);
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.stop();
  }
}

/** Whether a position was read in this epoch. The start is one of each. */
function isOf(epoch: string, position: FeedPosition): boolean {
  return position.seen?.epoch === epoch || isFeedStart(position);
}
