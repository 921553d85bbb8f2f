import { poolTimeout } from '../database/driver-errors.ts';
import type { LockLimits } from './lock-limits.ts';

/** No place became free. The code is that of a lock that was not available, as PostgreSQL has it. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';
  readonly code = '55P03';
}

/** Gives a connection back. */
export type Leave = () => void;

type Limits = Pick<LockLimits, 'connections' | 'connectMs' | 'allStuck'>;

interface Waiting {
  readonly enter: (leave: Leave) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The connections of a process on which a write may wait for a lock. Any write may meet one, and hundreds of them may at the same
 * time where a table is locked: so they get a share of the pool, first come, first served, and reads find the rest free. Those that
 * have a place in the queue go before those that try for the first time.
 */
export class LockConnections {
  readonly #limits: Limits;
  readonly #isStuck: () => boolean;
  #held = 0;
  readonly #inPlaces: Waiting[] = [];
  readonly #others: Waiting[] = [];

  /** `isStuck` tells whether whoever has a place has waited for long, so that those without one hardly get further. */
  constructor(limits: Limits, isStuck: () => boolean) {
    this.#limits = limits;
    this.#isStuck = isStuck;
  }

  /**
   * Waits for a connection. Throws an error with the code 55P03 where too many wait that are stuck, and that of the pool where none
   * becomes free in time.
   */
  async take(hasPlace: boolean): Promise<Leave> {
    if (this.#held < this.#limits.connections) return this.#leave();
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

  /** Refuses the newest that wait, where they are stuck and too many. */
  refuseExcess(): void {
    if (!this.#isStuck()) return;
    for (const { refuse } of this.#others.splice(this.#limits.allStuck))
      refuse(new NoPlace('Too many others wait for locks.'));
  }

  #leave(): Leave {
    this.#held++;
    return () => {
      this.#held--;
      (this.#inPlaces.shift() ?? this.#others.shift())?.enter(this.#leave());
    };
  }
}
