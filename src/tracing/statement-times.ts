import { AsyncLocalStorage } from 'node:async_hooks';
import type { StatementObserver } from '../database/pipelined-client.ts';

/** The statements of a request so far. */
export interface StatementTime {
  readonly count: number;
  /** Their durations, in milliseconds. Statements that run at the same time count each. */
  readonly ms: number;
}

/** Counts the statements that work sends. It takes time, and so is for development. */
export class StatementTimes {
  readonly #current = new AsyncLocalStorage<{ count: number; ms: number }>();

  /** Runs work and counts its statements; `time` shows them while it runs. */
  count<T>(work: (time: StatementTime) => T): T {
    const time = { count: 0, ms: 0 };
    return this.#current.run(time, () => work(time));
  }

  /** For the connections of a pool. A statement that several requests share counts for the first of them. */
  readonly observe: StatementObserver = () => {
    const time = this.#current.getStore();
    if (time === undefined) return undefined;
    time.count++;
    const began = performance.now();
    return () => {
      time.ms += performance.now() - began;
    };
  };
}
