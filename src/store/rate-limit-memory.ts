import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';

/** How many keys one limit counts at a time; past that, the one that was counted the longest ago begins anew. */
export const MAX_KEYS = 10_000;

/** Counts in the memory of this process, of which it takes so much and no more, however many keys there are. */
export class BoundedMemory extends RateLimiterMemory {
  readonly #recent = new LRUCache<string | number, true>({
    max: MAX_KEYS,
    dispose: (_, key, reason) => {
      if (reason === 'evict') void this.delete(key);
    },
  });

  override penalty(key: string | number, points?: number): Promise<RateLimiterRes> {
    this.#recent.set(key, true);
    return super.penalty(key, points);
  }
}
