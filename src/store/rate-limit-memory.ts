import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';

/** The most keys that a limit counts; beyond that, the least recently counted one is forgotten. */
export const MAX_KEYS = 10_000;

/** Counts in the memory of this process, within a bound, whatever the number of keys. */
export class BoundedMemory extends RateLimiterMemory {
  readonly #recent = new LRUCache<string | number, true>({
    // Not `max`, for which the whole bound is allocated at once.
    maxSize: MAX_KEYS,
    sizeCalculation: () => 1,
    dispose: (_, key, reason) => {
      if (reason === 'evict') void this.delete(key);
    },
  });

  override penalty(key: string | number, points?: number): Promise<RateLimiterRes> {
    this.#recent.set(key, true);
    return super.penalty(key, points);
  }
}
