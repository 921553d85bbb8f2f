import type { EntityManager } from '@mikro-orm/postgresql';
import type { Sight } from '../feed-epoch.ts';
import type { LogEnd } from '../log-end.ts';
import { isPoolCrowded, poolOf } from '../statements.ts';
import { Known } from './known.ts';
import { PresentBookmark } from './present-bookmark.ts';
import { CHECKED_MS, type ReadReplica } from './read-replica.ts';
import { type Reader, type ReadNeeds, replicaReader } from './reader.ts';
import { type ReplicaEvents, ReplicaWatch, type Watched } from './watch.ts';

export type { Sight } from '../feed-epoch.ts';

/** How long a read waits for a replica to catch up with the bookmark that came with it, in milliseconds; a whole one longer. */
const PATIENCE_MS = 100;
const WHOLE_PATIENCE_MS = 1_000;

/** The primary's answer may be off by so much, in milliseconds: commits that do not wait for the disk are there a little later. */
const MARGIN_MS = 1_000;

/** How long to wait before missing bookmarks are told again, in milliseconds: during an outage each answer lacks one. */
const TELL_MS = 60_000;

/** Who reads, and what they must see. */
export interface ReadingCaller {
  /** Names the caller in this process. */
  readonly name: string;
  /** What came with the request; `unreadable` where it is none that we know. */
  readonly bookmark: Sight | 'unreadable' | undefined;
}

/** A replica as operators see it. */
export interface ReplicaStanding {
  readonly number: number;
  readonly isUsed: boolean;
  /** Whether it is the primary itself now, and so not read from as a replica. */
  readonly isPrimary: boolean;
  readonly lagMs: number | undefined;
  readonly reason: string | undefined;
}

/**
 * The read replicas of the database. They are checked beside the requests, once a second. Whoever has written in this process, or
 * read the feed, reads from the primary until a replica has all of that; so does whoever sends a bookmark, which any process gave.
 */
export class Replicas {
  readonly #em: EntityManager;
  readonly #present: PresentBookmark;
  readonly #replicas: readonly ReadReplica[];
  readonly #watch: ReplicaWatch;
  readonly #known: Known;
  #next = 0;
  #events: ReplicaEvents | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** `maxLagMs` is how far a replica in use may lag. */
  constructor(watched: Watched, maxLagMs: number) {
    this.#em = watched.em;
    this.#replicas = watched.replicas;
    this.#watch = new ReplicaWatch(watched);
    this.#present = new PresentBookmark(watched.em, this.#watch.primary);
    this.#known = new Known(maxLagMs + CHECKED_MS + MARGIN_MS);
  }

  /** Begins to check them. Until the first check has succeeded, everything is read from the primary. */
  start(events: ReplicaEvents): void {
    this.#events = events;
    void this.#watch.start(events);
  }

  /** The reader of a caller; `em` is that of the primary. */
  readerFor(em: EntityManager, caller: ReadingCaller): Reader {
    return replicaReader(em, (needs) => this.#choose(caller, needs));
  }

  /**
   * Notes that later reads of a caller must see all that is in the log up to its end, for which it asks the primary where the unit of
   * work has not. Returns the bookmark; `undefined` where the primary does not say it soon: then the caller reads from it for a while.
   */
  async noteAnswer(caller: string, logEnd: LogEnd | undefined): Promise<Sight | undefined> {
    const known = logEnd && this.#watch.primary.bookmarkOf(logEnd);
    try {
      const bookmark = known ?? (await this.#present.ask());
      this.#known.note(caller, bookmark);
      return bookmark;
    } catch (error) {
      this.#known.note(caller, null);
      this.#tellOfNoBookmark(error as Error);
      return undefined;
    }
  }

  /** How each of them is. */
  standings(): readonly ReplicaStanding[] {
    return this.#replicas.map(({ number, isUsed, fault, lagMs }) => ({
      number,
      isUsed,
      isPrimary: fault?.kind === 'primary',
      lagMs,
      reason: fault?.reason,
    }));
  }

  async close(): Promise<void> {
    await Promise.all([this.#watch.stop(), ...this.#replicas.map((replica) => replica.close())]);
  }

  async #choose(
    { name, bookmark }: ReadingCaller,
    { until, isWhole = false }: ReadNeeds,
  ): Promise<ReadReplica | undefined> {
    const { primary } = this.#watch;
    const present = isWhole ? await this.#present.ask().catch(() => null) : undefined;
    const epoch = primary.seen?.epoch;
    let lsn = 0n;
    for (const seen of [this.#known.to(name), bookmark, present]) {
      if (seen === undefined) continue;
      // Positions of another epoch count in another log.
      if (seen === null || seen === 'unreadable' || seen.epoch !== epoch) return undefined;
      if (BigInt(seen.lsn) > lsn) lsn = BigInt(seen.lsn);
    }
    const moment = until && new Date(until.getTime() + MARGIN_MS);
    const used = await this.#free(
      this.#inTurn().filter(
        (replica) =>
          replica.isUsed &&
          replica.epoch === epoch &&
          (moment === undefined || replica.hasMoment(moment, primary)),
      ),
    );
    const ready = used.find((replica) => replica.has(lsn));
    if (ready !== undefined || (bookmark === undefined && !isWhole)) return ready;
    const patienceMs = isWhole ? WHOLE_PATIENCE_MS : PATIENCE_MS;
    // The others have not caught up even with what was there at their last check.
    const near = used.find(({ lagMs = 0 }) => lagMs < patienceMs);
    return (await near?.catchesUp(lsn, patienceMs)) && near?.epoch === epoch ? near : undefined;
  }

  /** Those among them for which nobody waits; none where the primary alone is free, and all where nobody is. */
  async #free(used: readonly ReadReplica[]): Promise<readonly ReadReplica[]> {
    const free = used.filter(({ isCrowded }) => !isCrowded);
    if (free.length > 0 || used.length === 0) return free;
    return isPoolCrowded(await poolOf(this.#em)) ? used : [];
  }

  #tellOfNoBookmark({ message }: Error): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#events?.onNoBookmark(message);
  }

  /** All of them, each time beginning with the next one. */
  #inTurn(): readonly ReadReplica[] {
    this.#next = (this.#next + 1) % this.#replicas.length;
    return [...this.#replicas.slice(this.#next), ...this.#replicas.slice(0, this.#next)];
  }
}
