import { join } from 'node:path';
import type { DatabaseSettings } from './connection.ts';
import type { EmbeddedDatabase, Log } from './embedded/index.ts';
import { type Reached, reachDatabase, reachOnce } from './reach-database.ts';

/** Where the database is: configured, or embedded in `dataDir` where `url` is `null`. */
export interface DatabaseLocation {
  readonly database: Omit<DatabaseSettings, 'url'> & { readonly url: string | null };
  readonly dataDir: string;
  /** How long the embedded server may take to start, to recover and to stop. */
  readonly bootTimeoutMs: number;
}

/** How long to wait for a database, and who is told. */
export interface OpenOptions {
  readonly log: Log;
  /** Milliseconds of the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  /** Called with each failed attempt to connect. */
  readonly onSilence: (error: Error) => void;
}

/** A database that has answered. */
export interface OpenDatabase extends Reached {
  /** The embedded server, if it is one: its owner releases it. */
  readonly embedded: EmbeddedDatabase | undefined;
}

/**
 * Starts the embedded server where no database is configured, and waits until the database answers. Throws what
 * {@link reachDatabase} throws, and releases the embedded server then.
 */
export async function openDatabase(
  { database: { url, ...limits }, dataDir, bootTimeoutMs }: DatabaseLocation,
  { log, ...waiting }: OpenOptions,
): Promise<OpenDatabase> {
  const embedded =
    url === null ? await startEmbedded(dataDir, bootTimeoutMs, log, waiting.signal) : undefined;
  const database = { ...limits, url: embedded?.url ?? (url as string) };
  try {
    return { ...(await reachDatabase(database, waiting)), embedded };
  } catch (error) {
    await embedded?.release().catch(() => undefined);
    throw error;
  }
}

/**
 * Opens the database for a command: it reports failures on standard error, waits no longer than a connection may take, and
 * releases the embedded server when the process exits.
 */
export async function openForCommand(settings: DatabaseLocation): Promise<Reached> {
  const { database, bootTimeoutMs } = settings;
  const { embedded, ...open } = await openDatabase(settings, {
    log: { info: () => undefined, warn: () => undefined, error: console.error },
    deadline: Date.now() + (database.url === null ? bootTimeoutMs : database.connectTimeoutMs),
    signal: new AbortController().signal,
    onSilence: (error) => console.error(`database unavailable; trying again: ${error.message}`),
  });
  if (embedded) {
    const { releaseOnExit } = await import('./embedded/release-on-exit.ts');
    releaseOnExit(embedded);
  }
  return open;
}

/**
 * Reaches the database only if it answers at once: it starts no server, and does not try again. Returns `undefined` where the
 * embedded server is not running, and throws what {@link reachOnce} throws.
 */
export async function reachIfRunning({ database, dataDir }: DatabaseLocation): Promise<Reached | undefined> {
  const url = database.url ?? (await (await import('./embedded/index.ts')).runningUrl(embeddedIn(dataDir)));
  if (url === undefined) return undefined;
  return reachOnce({ ...database, url });
}

/** The folder of the embedded database. */
const embeddedIn = (dataDir: string) => join(dataDir, 'postgres');

async function startEmbedded(
  dataDir: string,
  timeoutMs: number,
  log: Log,
  signal: AbortSignal,
): Promise<EmbeddedDatabase> {
  // Loaded only where it is used: production does not install it.
  const { openEmbedded } = await import('./embedded/index.ts');
  return openEmbedded({
    directory: embeddedIn(dataDir),
    timeoutMs,
    log,
    signal,
  });
}
