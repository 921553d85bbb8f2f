import { LRUCache } from 'lru-cache';
import { isLockTimeout } from '../database/driver-errors.ts';
import { LockConnections, NoPlace } from './lock-connections.ts';
import type { LockLimits } from './lock-limits.ts';

/** The most subjects that are remembered as locked. */
const MAX_REMEMBERED = 1_000;

/** A unit would meet a lock that others wait for already, or have waited for in vain: it has to wait without a connection. */
export class Contended extends Error {
  override readonly name = 'Contended';
}

interface Waiting {
  readonly subject: string;
  readonly since: number;
  readonly enter: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The units of work of a process that have met a lock, or lost a race: for each subject, such as an account, one of them runs at
 * a time, and the others wait in their order. So one locked account takes one connection, however many want to change it. A queue
 * that goes on may be long; where it is stuck, only some wait, and the others are refused at once.
 */
export class LockQueue {
  /** Where the units take their connections, those with a place and all others. */
  readonly connections: LockConnections;
  readonly #limits: Omit<LockLimits, 'brieflyMs' | 'patientlyMs'>;
  /** The subjects of the units that have places, and those whose unit has had its place for too long. */
  readonly #running = new Set<string>();
  readonly #stuck = new Set<string>();
  /** The subjects whose unit has the place of one that did not get its lock, and how many such places are to be given. */
  readonly #doubtful = new Set<string>();
  #failed = 0;
  readonly #waiting = new Set<Waiting>();
  /** The subjects whose lock was not available lately. */
  readonly #locked: LRUCache<string, true>;

  constructor(limits: Omit<LockLimits, 'brieflyMs' | 'patientlyMs'>) {
    this.#limits = limits;
    this.connections = new LockConnections(limits, () => this.#isFull());
    this.#locked = new LRUCache({ max: MAX_REMEMBERED, ttl: limits.rememberedMs });
  }

  /** How many units may have a place now: one connection at least is for those that have met no lock. */
  get #places(): number {
    return Math.max(1, Math.min(this.#limits.places, this.connections.share - 1));
  }

  /** Throws {@link Contended} where a unit for this subject runs or waits in the queue, or has lately failed there. */
  check(subject: string): void {
    if (this.#running.has(subject) || this.#locked.has(subject) || this.#waitingFor(subject).length > 0)
      throw new Contended(`Others wait for ${subject}.`);
  }

  /**
   * Waits for a place, and runs `work` in it. Where it does not get its lock, those that have waited for the same one for some
   * time fail with it. Throws what `work` throws, and an error with the code 55P03 where no place becomes free.
   */
  async run<T>(subject: string, work: () => Promise<T>): Promise<T> {
    try {
      await this.#place(subject);
      const result = await this.#runInPlace(subject, work);
      this.#locked.delete(subject);
      return result;
    } catch (error) {
      // Not again while it is remembered: from time to time, an attempt finds out whether the lock is still there.
      if (isLockTimeout(error) && !this.#locked.has(subject)) this.#locked.set(subject, true);
      throw error;
    }
  }

  async #runInPlace<T>(subject: string, work: () => Promise<T>): Promise<T> {
    const stuck = setTimeout(() => {
      this.#stuck.add(subject);
      this.#refuseExcess();
    }, this.#limits.stuckMs);
    try {
      return await work();
    } catch (error) {
      if (isLockTimeout(error)) {
        this.#refuseWith(subject, error);
        this.#failed++;
      }
      throw error;
    } finally {
      clearTimeout(stuck);
      for (const subjects of [this.#stuck, this.#doubtful, this.#running]) subjects.delete(subject);
      this.#fillPlaces();
      this.#refuseExcess();
    }
  }

  async #place(subject: string): Promise<void> {
    const { queuedMs } = this.#limits;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { subject, since: performance.now(), enter: resolve, refuse: reject };
    this.#waiting.add(waiting);
    this.#fillPlaces();
    this.#refuseExcess();
    const tooLong = setTimeout(
      () => this.#refuse(waiting, new NoPlace(`Others took ${queuedMs} ms for ${subject}.`)),
      queuedMs,
    );
    await promise.finally(() => clearTimeout(tooLong));
  }

  /** Gives free places to the units that have waited longest, one a subject. */
  #fillPlaces(): void {
    for (const waiting of this.#waiting) {
      if (this.#running.size >= this.#places) return;
      if (this.#running.has(waiting.subject)) continue;
      this.#waiting.delete(waiting);
      this.#running.add(waiting.subject);
      if (this.#failed > 0) this.#doubtful.add(waiting.subject);
      this.#failed = Math.max(0, this.#failed - 1);
      waiting.enter();
    }
    this.#failed = 0;
  }

  /** Whether no unit that has a place gets on, or none before it did. */
  #isFull(): boolean {
    return new Set([...this.#stuck, ...this.#doubtful]).size >= this.#places;
  }

  /** Refuses the newest units that are stuck, where there are too many. */
  #refuseExcess(): void {
    this.connections.refuseExcess();
    const isFull = this.#isFull();
    const waiting = [...this.#waiting].filter(({ subject }) => isFull || this.#stuck.has(subject));
    const { stuck, allStuck } = this.#limits;
    for (const excess of waiting.slice(isFull ? allStuck : stuck))
      this.#refuse(excess, new NoPlace(`Too many others wait for locks, and so for ${excess.subject}.`));
  }

  /** Refuses those that have waited for some time for a lock that was not available. */
  #refuseWith(subject: string, error: unknown): void {
    const before = performance.now() - this.#limits.sharedMs;
    for (const waiting of this.#waitingFor(subject))
      if (waiting.since <= before) this.#refuse(waiting, error);
  }

  #refuse(waiting: Waiting, error: unknown): void {
    if (this.#waiting.delete(waiting)) waiting.refuse(error);
  }

  #waitingFor(subject: string): Waiting[] {
    return [...this.#waiting].filter((waiting) => waiting.subject === subject);
  }
}
