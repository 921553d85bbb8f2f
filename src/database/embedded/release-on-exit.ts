import { spawnSync } from 'node:child_process';
import { extname, join } from 'node:path';
import { HeldDatabase } from './held-database.ts';
import type { EmbeddedDatabase } from './types.ts';

/** Beside this file, and in a build beside what this file is bundled into. */
const SCRIPT = join(import.meta.dirname, `release-script${extname(import.meta.filename)}`);
const TIMEOUT_MS = 30_000;

/**
 * Releases the database when this process exits, also through process.exit(), as third-party command-line tools do. When
 * the process is gone, the server is down, unless another process uses it. Does nothing after {@link
 * EmbeddedDatabase.release}. A signal that kills the process leaves the server running, and the next process to open the
 * database adopts it.
 *
 * Asynchronous work no longer runs at 'exit', so another process does it. It receives the folder, not the password. Returns how to
 * call it off.
 * @throws {TypeError} if `database` does not come from `openEmbedded`.
 */
export function releaseOnExit(database: EmbeddedDatabase): () => void {
  if (!(database instanceof HeldDatabase)) throw new TypeError('database must come from openEmbedded()');
  const release = () => {
    if (database.backend === undefined) return;
    spawnSync(process.execPath, [SCRIPT, database.directory, String(database.backend)], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {},
      timeout: TIMEOUT_MS,
    });
  };
  process.once('exit', release);
  return () => process.off('exit', release);
}
