import { setTimeout as sleep } from 'node:timers/promises';

/** Polls `condition` until it returns something truthy, and resolves with that. Rejects after `ms` milliseconds. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  ms = 30_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`timed out after ${ms} ms: ${what}`);
    await sleep(10);
  }
}
