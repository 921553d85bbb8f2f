import { setTimeout as sleep } from 'node:timers/promises';

/** Between two attempts: a quarter of the time waited so far, within these bounds. (A start takes 30 ms.) */
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

/** A moment after which nobody waits any longer. */
export interface Deadline {
  /** Milliseconds from its making to its passing. */
  readonly totalMs: number;
  /** Milliseconds left, at least 1: both pg and spawn read 0 as "for ever". */
  left(): number;
  passed(): boolean;
}

/** A deadline that passes in `totalMs` milliseconds, on a clock that nobody sets back. */
export function deadlineIn(totalMs: number): Deadline {
  const end = performance.now() + totalMs;
  return {
    totalMs,
    left: () => Math.max(1, Math.ceil(end - performance.now())),
    passed: () => performance.now() >= end,
  };
}

/** Thrown for what passes by itself: a server that is starting or stopping, a race that somebody else won. */
export class TryAgain extends Error {
  override readonly name: string = 'TryAgain';
}

/**
 * Calls `attempt` until it no longer throws {@link TryAgain}, and gives its result.
 * @throws whatever else it throws, at once; after the deadline, an Error with the last attempt's reason.
 */
export async function retry<T>(deadline: Deadline, subject: string, attempt: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      if (deadline.passed()) {
        throw new Error(`${subject}: gave up after ${deadline.totalMs} ms: ${error.message}`, {
          cause: error,
        });
      }
    }
    const quarter = (performance.now() - began) / 4;
    await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, quarter)));
  }
}
