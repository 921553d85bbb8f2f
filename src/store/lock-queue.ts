import type { DatabaseSettings } from '../database/connection.ts';
import { isLockTimeout } from '../database/driver-errors.ts';

/** How long units of work wait for locks, and how many of them at once, in one process. */
export interface LockLimits {
  /** How long the first attempt of a unit waits for a lock, in milliseconds: longer than a commit, and no longer. */
  readonly brieflyMs: number;
  /** How long a unit waits that has a place in the queue, in milliseconds. */
  readonly patientlyMs: number;
  /** How many units have a place at the same time: each takes a connection. */
  readonly places: number;
}

/**
 * The limits for requests: another statement would not take that long, and half of the connections are for those that meet no
 * lock.
 */
export function lockLimits({
  poolMax,
  statementTimeoutMs,
}: Pick<DatabaseSettings, 'poolMax' | 'statementTimeoutMs'>): LockLimits {
  // Before the statement ends, which would look like an outage.
  const patientlyMs = Math.min(1_500, Math.ceil(statementTimeoutMs / 2));
  return { brieflyMs: Math.min(50, patientlyMs), patientlyMs, places: Math.max(1, Math.floor(poolMax / 2)) };
}

/** How long units wait for a place at most, in milliseconds: what they wait for goes on, but slowly. */
const MAX_WAIT_MS = 15_000;

/** How long a unit must have waited to be refused with the one before it, in milliseconds. */
const SHARED_WAIT_MS = 500;

/**
 * How many units wait for a lock once the one before them has waited for some time, in milliseconds: they have places among the
 * requests in flight, which others need.
 */
const MAX_STUCK = 16;
const STUCK_MS = 1_400;

/** The most units that wait for a place. */
const MAX_WAITING = 1_000;

/** A unit has met a lock that others wait for already: it has to wait behind them, without a connection. */
export class Contended extends Error {
  override readonly name = 'Contended';
}

/** No place became free. The code is that of a lock that was not available, as PostgreSQL has it. */
class NoPlace extends Error {
  override readonly name = 'NoPlace';
  readonly code = '55P03';
}

interface Waiting {
  readonly subject: string;
  readonly since: number;
  readonly enter: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The units of work of a process that have met a lock, or lost a race: for each subject, such as an account, one of them runs at
 * a time, and the others wait in their order. So one locked account takes one connection, however many want to change it.
 */
export class LockQueue {
  readonly #places: number;
  /** By subject, since when. */
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  constructor({ places }: Pick<LockLimits, 'places'>) {
    this.#places = places;
  }

  /** Throws {@link Contended} where a unit for this subject runs in the queue. */
  check(subject: string): void {
    if (this.#running.has(subject)) throw new Contended(`Others wait for ${subject}.`);
  }

  /**
   * Waits for a place, and runs `work` in it. Where it does not get its lock, those that have waited for the same one for some
   * time fail with it. Throws what `work` throws, and an error with the code 55P03 where no place becomes free.
   */
  async run<T>(subject: string, work: () => Promise<T>): Promise<T> {
    await this.#place(subject);
    try {
      return await work();
    } catch (error) {
      if (isLockTimeout(error)) this.#refuseWith(subject, error);
      throw error;
    } finally {
      this.#running.delete(subject);
      this.#next();
    }
  }

  async #place(subject: string): Promise<void> {
    if (this.#waiting.size >= MAX_WAITING || this.#isStuck(subject)) {
      throw new NoPlace('Too many others wait for the lock.');
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { subject, since: performance.now(), enter: resolve, refuse: reject };
    this.#waiting.add(waiting);
    this.#next();
    const tooLong = setTimeout(() => {
      if (this.#waiting.delete(waiting)) reject(new NoPlace(`Others took ${MAX_WAIT_MS} ms for ${subject}.`));
    }, MAX_WAIT_MS);
    await promise.finally(() => clearTimeout(tooLong));
  }

  #isStuck(subject: string): boolean {
    const since = this.#running.get(subject);
    if (since === undefined || performance.now() - since < STUCK_MS) return false;
    return [...this.#waiting].filter((waiting) => waiting.subject === subject).length >= MAX_STUCK;
  }

  /** Lets in whom there are places for. */
  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.#running.size >= this.#places) return;
      if (this.#running.has(waiting.subject)) continue;
      this.#waiting.delete(waiting);
      this.#running.set(waiting.subject, performance.now());
      waiting.enter();
    }
  }

  #refuseWith(subject: string, error: unknown): void {
    const before = performance.now() - SHARED_WAIT_MS;
    for (const waiting of this.#waiting) {
      if (waiting.subject !== subject || waiting.since > before) continue;
      this.#waiting.delete(waiting);
      waiting.refuse(error);
    }
  }
}
