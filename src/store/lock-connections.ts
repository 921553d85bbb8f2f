import { isLockTimeout, poolTimeout } from '../database/driver-errors.ts';
import type { LockLimits } from './lock-limits.ts';

/** No place became free. The code is that of a lock that was not available, as PostgreSQL has it. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';
  readonly code = '55P03';
}

/** Gives a connection back, and tells what its work has failed with. */
export type Leave = (error?: unknown) => void;

type Limits = Pick<LockLimits, 'connections' | 'connectMs' | 'allStuck'>;

interface Waiting {
  readonly enter: (leave: Leave) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The connections of a process on which a write may wait for a lock. Any write may meet one, and hundreds of them may at the same
 * time where a table is locked: so they get a share of the pool, first come, first served, and reads find the rest free. Those that
 * have a place in the queue go before those that try for the first time. What others occupy for long comes out of the share.
 */
export class LockConnections {
  readonly #limits: Limits;
  readonly #isStuck: () => boolean;
  #held = 0;
  #occupied = 0;
  /** How many in a row did not get their lock. */
  #failed = 0;
  readonly #inPlaces: Waiting[] = [];
  readonly #others: Waiting[] = [];

  /** `isStuck` tells whether whoever has a place has waited for long, so that those without one may not get further. */
  constructor(limits: Limits, isStuck: () => boolean) {
    this.#limits = limits;
    this.#isStuck = isStuck;
  }

  /** How many writes may have a connection now. */
  get share(): number {
    return Math.max(1, this.#limits.connections - this.#occupied);
  }

  /**
   * Waits for a connection. Throws an error with the code 55P03 where too many wait that are stuck, and that of the pool where none
   * becomes free in time.
   */
  async take(hasPlace: boolean): Promise<Leave> {
    if (this.#held < this.share) return this.#leave();
    const { promise, resolve, reject } = Promise.withResolvers<Leave>();
    const waiting = { enter: resolve, refuse: reject };
    const queue = hasPlace ? this.#inPlaces : this.#others;
    queue.push(waiting);
    this.refuseExcess();
    const tooLong = setTimeout(() => {
      queue.splice(queue.indexOf(waiting), 1);
      reject(poolTimeout());
    }, this.#limits.connectMs);
    return promise.finally(() => clearTimeout(tooLong));
  }

  /** Counts a connection that other work has, such as an import: it waits for nobody, and its number is limited elsewhere. */
  occupy(): Leave {
    this.#occupied++;
    return () => {
      this.#occupied--;
      this.#admit();
    };
  }

  /** Refuses the newest that wait, where they are stuck and too many. */
  refuseExcess(): void {
    // Writes that meet no lock go on beside the places.
    if (this.#failed < this.share || !this.#isStuck()) return;
    for (const { refuse } of this.#others.splice(this.#limits.allStuck))
      refuse(new NoPlace('Too many others wait for locks.'));
  }

  #admit(): void {
    while (this.#held < this.share) {
      const next = this.#inPlaces.shift() ?? this.#others.shift();
      if (next === undefined) return;
      next.enter(this.#leave());
    }
  }

  #leave(): Leave {
    this.#held++;
    return (error) => {
      this.#held--;
      this.#failed = isLockTimeout(error) ? this.#failed + 1 : 0;
      this.#admit();
      this.refuseExcess();
    };
  }
}
