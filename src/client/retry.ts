import { Problem, Unreachable } from './problem.ts';

/** The wait before the first retry, in milliseconds; each further one is twice as long, up to the longest. */
const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/** Refusals that pass by themselves. */
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/**
 * How long to wait before a request that has failed this often before is sent again, in milliseconds; `undefined`: it is not. What the
 * service asks for with `Retry-After` counts, unless it is so long that the caller had better know.
 */
export function waitBefore(error: unknown, failures: number, retries: number): number | undefined {
  if (failures >= retries || !isPassing(error)) return undefined;
  const { retryAfterMs = 0 } = error;
  return retryAfterMs > LONGEST_MS ? undefined : Math.max(retryAfterMs, backoff(failures));
}

/** A random time up to twice as long for each failure: those who fail together do not come back together. */
export function backoff(failures: number, firstMs = FIRST_MS): number {
  return Math.min(LONGEST_MS, firstMs * 2 ** failures) * (0.5 + Math.random() / 2);
}

/** Whether the same request may succeed later. */
export function isPassing(error: unknown): error is Problem | Unreachable {
  if (error instanceof Unreachable) return error.status === undefined || PASSING.includes(error.status);
  if (!(error instanceof Problem)) return false;
  // A 409 with Retry-After: the first attempt of this very request is still under way.
  return PASSING.includes(error.status) || (error.status === 409 && error.retryAfterMs !== undefined);
}

/** Waits. Throws the signal's reason once it aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
