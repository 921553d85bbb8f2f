import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { HeldDatabase } from './held-database.ts';
import type { EmbeddedDatabase } from './types.ts';

const SCRIPT = join(import.meta.dirname, 'release-script.ts');
const TIMEOUT_MS = 30_000;

/**
 * Releases the database when this process ends, also by process.exit(), as a command-line tool does that is
 * not ours to change; when it has returned to its caller, the server is down, if nobody else uses it. Does
 * nothing when {@link EmbeddedDatabase.release} was done before. A signal that kills the process outright
 * leaves the server running, as always; the next to open the database adopts it.
 *
 * At 'exit' no asynchronous work runs any more, so another process does it, told the folder, not the password.
 */
export function releaseOnExit(database: EmbeddedDatabase): void {
  if (!(database instanceof HeldDatabase)) throw new TypeError('not a database that openEmbedded() gave');
  process.once('exit', () => {
    if (database.backend === undefined) return;
    spawnSync(process.execPath, [SCRIPT, database.directory, String(database.backend)], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {},
      timeout: TIMEOUT_MS,
    });
  });
}
