import { setTimeout as sleep } from 'node:timers/promises';

/** The pause between attempts is a quarter of the time waited so far, within these limits. (A start takes 30 ms.) */
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

/** A time limit. */
export interface Deadline {
  /** Milliseconds from its creation to its end. */
  readonly totalMs: number;
  /** Milliseconds left, at least 1, because pg and spawn read 0 as "no limit". */
  left(): number;
  passed(): boolean;
}

/** A deadline in `totalMs` milliseconds, by the monotonic clock. */
export function deadlineIn(totalMs: number): Deadline {
  const end = performance.now() + totalMs;
  return {
    totalMs,
    left: () => Math.max(1, Math.ceil(end - performance.now())),
    passed: () => performance.now() >= end,
  };
}

/** A temporary failure: the server is starting or stopping, or another process was faster. */
export class TryAgain extends Error {
  override readonly name: string = 'TryAgain';
}

/**
 * Calls `attempt` until it no longer throws {@link TryAgain}, and returns its result.
 * @throws every other error of `attempt`, at once; {Error} with the last reason after the deadline.
 */
export async function retry<T>(deadline: Deadline, subject: string, attempt: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      if (deadline.passed()) {
        throw new Error(`${subject}: timeout after ${deadline.totalMs} ms: ${error.message}`, {
          cause: error,
        });
      }
    }
    const quarter = (performance.now() - startedAt) / 4;
    await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, quarter)));
  }
}
