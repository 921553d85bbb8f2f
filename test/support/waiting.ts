import { setTimeout as pause } from 'node:timers/promises';

/** How long a test waits for something that should be so soon. */
const PATIENCE_MS = 20_000;

/** Resolves with the first thing that `look` finds, which it asks again and again; rejects where it finds nothing in time. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(10)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error('It did not come to that in time.');
}
