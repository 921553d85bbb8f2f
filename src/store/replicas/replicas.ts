import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { SideConnection } from '../../database/side-connection.ts';
import { presentSight, renewEpoch, type Sight } from '../feed-epoch.ts';
import type { Fault, FaultKind } from './fault.ts';
import { Known } from './known.ts';
import { PRIMARY, PrimaryLog, type PrimarySeen } from './primary-log.ts';
import { CHECKED_MS, type ReadReplica } from './read-replica.ts';
import { type Reader, type ReadNeeds, replicaReader } from './reader.ts';

export type { Sight } from '../feed-epoch.ts';

/** How long to wait between checks, in milliseconds. */
const CHECK_MS = 1_000;

/** How long a read waits for a replica to catch up with the bookmark that came with it, in milliseconds; a whole one longer. */
const PATIENCE_MS = 100;
const WHOLE_PATIENCE_MS = 1_000;

/** The primary's answer may be off by so much, in milliseconds: commits that do not wait for the disk are there a little later. */
const MARGIN_MS = 1_000;

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

/** Told of replicas that are left out, once for each kind of fault, and of those that are used, at first and again. */
export interface ReplicaEvents {
  readonly onLeftOut: (number: number, fault: Fault) => void;
  readonly onUsed: (number: number) => void;
  /** Told of the epoch in which the primary answered. */
  readonly onEpoch: (epoch: string) => void;
}

/** What {@link Replicas} need. */
export interface ReplicasOptions {
  /** An EntityManager of the primary. */
  readonly em: EntityManager;
  /** A connection to the primary. */
  readonly side: SideConnection;
  readonly replicas: readonly ReadReplica[];
  readonly maxLagMs: number;
}

/**
 * The read replicas of the database. They are checked beside the requests, once a second. Whoever has written in this process, or
 * read the feed, reads from the primary until a replica has all of that; so does whoever sends a bookmark, which any process gave.
 */
export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #primary = new PrimaryLog();
  /** What the last check found, and what was told last. */
  readonly #found = new Map<ReadReplica, FaultKind | 'none'>();
  readonly #told = new Map<ReadReplica, FaultKind | 'none'>();
  readonly #stop = new AbortController();
  readonly #known: Known;
  #next = 0;

  constructor(options: ReplicasOptions) {
    this.#options = options;
    this.#known = new Known(options.maxLagMs + CHECKED_MS + MARGIN_MS);
  }

  /** Begins to check them. Until the first check has succeeded, everything is read from the primary. */
  start(events: ReplicaEvents): void {
    void this.#checkOn(events);
  }

  /** The reader of a caller; `em` is that of the primary. */
  readerFor(em: EntityManager, caller: ReadingCaller): Reader {
    return replicaReader(em, (needs) => this.#choose(caller, needs));
  }

  /**
   * Notes what the later reads of a caller must see: a bookmark, or else all that is there now, for which it asks the primary. Returns
   * the bookmark. Throws where the primary does not answer: then the caller reads from it for a while.
   */
  async noteAnswer(caller: string, bookmark: Sight | undefined): Promise<Sight> {
    this.#known.note(caller, bookmark ?? null);
    if (bookmark !== undefined) return bookmark;
    const seen = await presentSight(this.#options.em).catch((error: unknown) => {
      this.#known.note(caller, null);
      throw error;
    });
    this.#known.note(caller, seen);
    return seen;
  }

  /** How each of them is. */
  standings(): readonly ReplicaStanding[] {
    return this.#options.replicas.map((replica) => ({
      number: replica.number,
      isUsed: replica.isUsed,
      isPrimary: replica.fault?.kind === 'primary',
      lagMs: replica.lagMs,
      reason: replica.fault?.reason,
    }));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const { side, replicas } = this.#options;
    await Promise.all([side.close(), ...replicas.map((replica) => replica.close())]);
  }

  async #choose(
    { name, bookmark }: ReadingCaller,
    { until, isWhole = false }: ReadNeeds,
  ): Promise<ReadReplica | undefined> {
    const present = isWhole ? await presentSight(this.#options.em) : undefined;
    const epoch = this.#primary.seen?.epoch;
    let lsn = 0n;
    for (const seen of [this.#known.to(name), bookmark, present]) {
      if (seen === undefined) continue;
      // Positions of another epoch count in another log.
      if (seen === null || seen === 'unreadable' || seen.epoch !== epoch) return undefined;
      if (BigInt(seen.lsn) > lsn) lsn = BigInt(seen.lsn);
    }
    const moment = until && new Date(until.getTime() + MARGIN_MS);
    const used = this.#inTurn().filter(
      (replica) =>
        replica.isUsed &&
        replica.epoch === epoch &&
        (moment === undefined || replica.hasMoment(moment, this.#primary)),
    );
    const ready = used.find((replica) => replica.has(lsn));
    if (ready !== undefined || (bookmark === undefined && !isWhole)) return ready;
    const patienceMs = isWhole ? WHOLE_PATIENCE_MS : PATIENCE_MS;
    // The others have not caught up even with what was there at their last check.
    const near = used.find(({ lagMs = 0 }) => lagMs < patienceMs);
    return (await near?.catchesUp(lsn, patienceMs)) && near?.epoch === epoch ? near : undefined;
  }

  /** All of them, each time beginning with the next one. */
  #inTurn(): readonly ReadReplica[] {
    const { replicas } = this.#options;
    this.#next = (this.#next + 1) % replicas.length;
    return [...replicas.slice(this.#next), ...replicas.slice(0, this.#next)];
  }

  async #checkOn(events: ReplicaEvents): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#askPrimary(events);
      // One that does not answer must not make the others wait.
      for (const replica of this.#options.replicas)
        void replica.check(this.#primary).then(() => this.#tell(replica, events));
      await delay(CHECK_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #askPrimary({ onEpoch }: ReplicaEvents): Promise<void> {
    const takenAt = performance.now();
    try {
      const [seen] = await this.#options.side.ask<PrimarySeen>({ text: PRIMARY, values: [] });
      const { epoch = null } = seen ?? {};
      onEpoch(epoch ?? (await renewEpoch(this.#options.em)).epoch);
      if (epoch !== null) this.#primary.note({ ...(seen as PrimarySeen), epoch }, takenAt);
    } catch (error) {
      // Requests find out that the primary is gone, and say so. Without its answers, replicas become late.
      this.#primary.silence = (error as Error).message;
    }
  }

  #tell(replica: ReadReplica, { onLeftOut, onUsed }: ReplicaEvents): void {
    if (this.#stop.signal.aborted) return;
    const { fault } = replica;
    const before = this.#found.get(replica);
    this.#found.set(replica, fault?.kind ?? 'none');
    // One that is late for a moment is not worth a word.
    if (fault?.kind === 'late' && before !== 'late') return;
    if (this.#told.get(replica) === (fault?.kind ?? 'none')) return;
    this.#told.set(replica, fault?.kind ?? 'none');
    if (fault === undefined) onUsed(replica.number);
    else onLeftOut(replica.number, fault);
  }
}
