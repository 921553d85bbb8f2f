import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `condition` gives something. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  ms = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await sleep(10);
  }
}
