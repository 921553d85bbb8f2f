import { LRUCache } from 'lru-cache';
import type { Sight } from '../feed-epoch.ts';

/** How many callers are remembered: more than write in a process while a replica may lag. */
const MAX_CALLERS = 100_000;

/** What the callers of this process know of the database, by what they have written or read of the feed. */
export class Known {
  readonly #seen: LRUCache<string, { readonly seen: Sight | null }>;

  /** Remembers it for `ms` milliseconds: as long as a replica in use may lack it. */
  constructor(ms: number) {
    this.#seen = new LRUCache({ max: MAX_CALLERS, ttl: ms });
  }

  /** Where the log was that a caller knows; `null` where nobody can tell, `undefined` where the caller knows nothing. */
  to(caller: string): Sight | null | undefined {
    return this.#seen.get(caller)?.seen;
  }

  /** Notes it, unless more is known. */
  note(caller: string, seen: Sight | null): void {
    const known = this.to(caller);
    const isOlder = known && known.epoch === seen?.epoch && BigInt(seen.lsn) < BigInt(known.lsn);
    if (!isOlder) this.#seen.set(caller, { seen });
  }
}
