import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';

/** The bound of the space of new objects, in bytes: two halves of 16 MiB. */
export const MAX_NEW_SPACE = 32 * 1024 * 1024;

/** How much garbage the space of old objects may have before it is collected, in percent of live objects. V8's own choice is 300 at most. */
const OLD_GARBAGE_PERCENT = 50;

/** The least limit of the heap for that, in bytes. Below it, V8 collects soon enough, and sooner would take the processor alone. */
const LEAST_HEAP = 600 * 1024 * 1024;

/**
 * Makes V8 take less memory under load from now on. By itself it lets the space of new objects grow to 64 MiB and more, and that
 * of old objects to four times of its live objects, and all of that stays resident. With these bounds it takes some percent more
 * of the processor to collect garbage.
 *
 * `--max-semi-space-size` has an effect on the command line alone, and the command is `node dist/server.js`. The factor of growth
 * is read whenever the space is about to grow, so it can stop the growth; V8 may shrink the space, and then it may grow again. Two growths in
 * quick succession can pass the bound once.
 */
export function boundMemory(): void {
  if (v8.getHeapStatistics().heap_size_limit >= LEAST_HEAP)
    v8.setFlagsFromString(`--heap-growing-percent=${OLD_GARBAGE_PERCENT}`);
  let isBounded = false;
  new PerformanceObserver(() => {
    const space = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    const isFull = (space?.space_size ?? 0) >= MAX_NEW_SPACE;
    if (isFull === isBounded) return;
    isBounded = isFull;
    v8.setFlagsFromString(`--semi-space-growth-factor=${isFull ? 1 : 2}`);
  }).observe({ entryTypes: ['gc'] });
}
