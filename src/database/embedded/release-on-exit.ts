import { spawnSync } from 'node:child_process';
import { extname, join } from 'node:path';
import { HeldDatabase } from './held-database.ts';
import type { EmbeddedDatabase } from './types.ts';

/** Beside this file, and in a build beside what this file is bundled into. */
const SCRIPT = join(import.meta.dirname, `release-script${extname(import.meta.filename)}`);
const TIMEOUT_MS = 30_000;

/** What ends a program in a terminal and under a supervisor. Not SIGHUP: a listener would undo what `nohup` has set. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The databases that are released when this process ends. */
const held = new Set<HeldDatabase>();

/**
 * Releases the database when this process exits, also through process.exit(), as third-party command-line tools do, and when
 * SIGINT or SIGTERM ends it because nobody else listens for that. When the process is gone, the server is down, unless another
 * process uses it. Does nothing after {@link EmbeddedDatabase.release}. Any other signal that kills the process leaves the server
 * running, and the next process to open the database adopts it.
 *
 * Asynchronous work no longer runs at 'exit', so another process does it. It receives the folder, not the password. Returns how to
 * call it off.
 * @throws {TypeError} if `database` does not come from `openEmbedded`.
 */
export function releaseOnExit(database: EmbeddedDatabase): () => void {
  if (!(database instanceof HeldDatabase)) throw new TypeError('database must come from openEmbedded()');
  if (held.size === 0) listen();
  held.add(database);
  return () => {
    held.delete(database);
    if (held.size === 0) unlisten();
  };
}

function listen(): void {
  process.on('exit', releaseAll);
  for (const signal of SIGNALS) process.on(signal, endBy);
}

function unlisten(): void {
  process.off('exit', releaseAll);
  for (const signal of SIGNALS) process.off(signal, endBy);
}

function releaseAll(): void {
  for (const { backend, directory } of held) {
    if (backend === undefined) continue;
    spawnSync(process.execPath, [SCRIPT, directory, String(backend)], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {},
      timeout: TIMEOUT_MS,
    });
  }
}

/** Ends the process as the signal does where nobody listens. Where others do, they decide, and 'exit' comes after them. */
function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  releaseAll();
  unlisten();
  process.kill(process.pid, signal);
}
