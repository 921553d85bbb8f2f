import { setTimeout as delay } from 'node:timers/promises';

/** How long the end of the process waits for it, in milliseconds. */
const LONGEST_MS = 1_000;

/** Waits for the last write of a process that ends, but not for long: its database may be gone. */
export async function lastWrite(write: Promise<void>): Promise<void> {
  await Promise.race([write, delay(LONGEST_MS, undefined, { ref: false })]);
}
