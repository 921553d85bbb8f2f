import { setTimeout as delay } from 'node:timers/promises';
import pRetry from 'p-retry';
import pg from 'pg';
import { isUnavailable } from './driver-errors.ts';

/** Where the database is, and how long to wait for it. */
export interface DatabaseSettings {
  /** `postgres://…`, password included. */
  readonly url: string;
  /** The most connections of a process, at least 2: the migrator needs one beside the boot lock's. */
  readonly poolMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

/**
 * How to reach the database: directly, or through a pooler such as PgBouncer, which shares sessions with their settings,
 * prepared statements and locks.
 */
export type ConnectionMode = 'direct' | 'pooled';

/** How long an answer may be late beyond the statement timeout before the connection counts as dead, in milliseconds. */
const ANSWER_MARGIN_MS = 1_000;

/** The largest integer of PostgreSQL's settings. */
const MAX_SETTING = 2 ** 31 - 1;

/**
 * The driver's configuration of a connection. With a statement timeout of 0, as for migrations, only connecting has a time
 * limit.
 */
export function clientConfig(
  database: DatabaseSettings,
  mode: ConnectionMode,
): pg.PoolConfig & { database: string } {
  const { url, connectTimeoutMs, statementTimeoutMs } = database;
  return {
    connectionString: url,
    database: new pg.Client({ connectionString: url }).database ?? '',
    application_name: 'rollcall',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    Client: ImpatientClient,
    ...(statementTimeoutMs > 0 && {
      // The server enforces its timeout, but the network may lose its answer, and a pooler may ignore the setting.
      query_timeout: Math.min(statementTimeoutMs + ANSWER_MARGIN_MS, MAX_SETTING),
      // Session settings: a pooler ignores them or refuses the connection.
      ...(mode === 'direct' && {
        statement_timeout: statementTimeoutMs,
        // A process that stalls inside a transaction must not lock its rows for ever.
        idle_in_transaction_session_timeout: Math.min(3 * statementTimeoutMs, MAX_SETTING),
      }),
    }),
  };
}

/** Closes a connection whose answer is late: with `pg`, the next query would wait behind it. */
export class ImpatientClient extends pg.Client {
  override query(...args: unknown[]): never {
    const result = (super.query as (...args: unknown[]) => unknown).apply(this, args);
    if (result instanceof Promise) {
      result.catch((error: Error) => {
        if (error.message === 'Query read timeout') this.connection.stream.destroy();
      });
    }
    return result as never;
  }
}

/**
 * Waits until the database answers, with growing pauses between attempts, and returns the connection mode. Throws the
 * database's refusal (no such database, wrong password), the last error after `deadline` (milliseconds of the epoch), and the
 * signal's reason when it aborts.
 */
export async function reachDatabase(
  database: DatabaseSettings,
  options: { deadline: number; signal: AbortSignal; onSilence: (error: Error) => void },
): Promise<ConnectionMode> {
  return pRetry(() => tryToConnect(database), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 100,
    maxTimeout: 5_000,
    maxRetryTime: Math.max(0, options.deadline - Date.now()),
    signal: options.signal,
    async shouldRetry({ error }) {
      if (!isUnavailable(error)) return false;
      options.onSilence(error);
      // p-retry cuts its jitter off at the longest pause; this one keeps replicas apart.
      await delay(Math.random() * 250);
      return true;
    },
  });
}

async function tryToConnect(database: DatabaseSettings): Promise<ConnectionMode> {
  try {
    return await tryMode(database, 'direct');
  } catch (error) {
    // PgBouncer's message for a parameter that is not in its `ignore_startup_parameters`.
    if (!(error instanceof Error && error.message.includes('unsupported startup parameter'))) throw error;
    return await tryMode(database, 'pooled');
  }
}

async function tryMode(database: DatabaseSettings, mode: ConnectionMode): Promise<ConnectionMode> {
  const client = new pg.Client(clientConfig(database, mode)) as pg.Client & { processID: number };
  // A connection that breaks while idle emits an error event, and without a listener that ends the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    // The process id in the greeting is the server's, unless a pooler invented it.
    return mode === 'direct' && rows[0]?.pid !== client.processID ? 'pooled' : mode;
  } finally {
    await endClient(client, database);
  }
}

/** Ends a connection, and does not wait for ever for a server that no longer answers. */
export async function endClient(
  client: pg.Client,
  { connectTimeoutMs }: Pick<DatabaseSettings, 'connectTimeoutMs'>,
): Promise<void> {
  await Promise.race([client.end(), delay(connectTimeoutMs, undefined, { ref: false })]);
  client.connection.stream.destroy();
}
