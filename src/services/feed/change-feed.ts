import type { EntityManager } from '@mikro-orm/postgresql';
import type { ListenForChanges } from '../../store/change-log.ts';
import { comparePositions, type FeedEntry, type FeedPosition, readFeed } from '../../store/feed-page.ts';
import { FeedTail } from './tail.ts';

/** For how long the tail is kept when nobody follows any more, in milliseconds: most come again at once. */
export const LINGER_MS = 10_000;

/** How to follow the feed. */
export interface FollowOptions {
  /** The most entries at once. */
  readonly limit: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** After how many milliseconds of silence it says so, with no entries; never, where it is not given. */
  readonly beatMs?: number;
}

/** What ChangeFeed needs of the world. */
export interface ChangeFeedDeps {
  /** Only read with. */
  readonly em: EntityManager;
  readonly listen: ListenForChanges;
  /** The feed cannot be read at the moment. */
  readonly onError: (error: unknown) => void;
  /** {@link LINGER_MS}, unless it is given. */
  readonly lingerMs?: number;
}

/**
 * The change feed for those who follow it. However many they are, the process listens once and asks once a commit; and
 * while nobody follows, nothing is listened for and nothing asked.
 */
export class ChangeFeed {
  readonly #deps: ChangeFeedDeps;
  readonly #subscribers = new Set<{ readonly wake: () => void }>();
  #tail: FeedTail | undefined;
  #lingering: NodeJS.Timeout | undefined;

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps;
  }

  /**
   * Has `wake` called whenever something may have come, until the function that it returns is called. It may be called
   * for nothing, and must not throw; what came before is for the caller to read.
   */
  onNews(wake: () => void): () => void {
    return this.#join(wake).leave;
  }

  /**
   * The entries after a position, as they come: each once, in the order of the feed, for as long as the signal lets it. What
   * is behind the tail is read page by page, no faster than it is taken; so it is again for whoever falls behind.
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
        const entries = recent?.after(position, limit);
        if (recent !== undefined && entries === undefined) {
          const { start } = recent;
          const older = await readFeed(this.#deps.em, position, limit);
          position = older.at(-1)?.position ?? position;
          // At the start is an entry that was served before: a page with room to spare has all that lies between.
          if (older.length < limit && comparePositions(position, start) < 0) position = start;
          if (older.length > 0) yield older;
        } else if (entries !== undefined && entries.length > 0) {
          position = (entries.at(-1) as FeedEntry).position;
          yield entries;
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

  /** Ends all listening and asking at once. Whoever still follows is not told of anything any more. */
  async close(): Promise<void> {
    clearTimeout(this.#lingering);
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.stop();
  }

  #join(wake: () => void): { tail: FeedTail; leave: () => void } {
    clearTimeout(this.#lingering);
    const subscriber = { wake };
    this.#subscribers.add(subscriber);
    const { em, listen, onError, lingerMs = LINGER_MS } = this.#deps;
    const onNews = () => {
      for (const { wake } of [...this.#subscribers]) wake();
    };
    this.#tail ??= new FeedTail(em, listen, { onNews, onError });
    return {
      tail: this.#tail,
      leave: () => {
        this.#subscribers.delete(subscriber);
        if (this.#subscribers.size > 0) return;
        clearTimeout(this.#lingering);
        this.#lingering = setTimeout(() => void this.close(), lingerMs).unref();
      },
    };
  }
}
