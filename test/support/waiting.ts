import { setTimeout as pause } from 'node:timers/promises';

/** How long a test waits for something that should happen soon. */
const PATIENCE_MS = 30_000;

/** Polls `look` and resolves with the first thing that it finds. Rejects if it finds nothing in time. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(10)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`nothing found within ${PATIENCE_MS} ms`);
}
