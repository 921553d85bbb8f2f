import { setTimeout as delay } from 'node:timers/promises';
import pRetry from 'p-retry';
import pg from 'pg';
import { isUnavailable } from './driver-errors.ts';

/** Where the database is, and how long to wait for it. */
export interface DatabaseSettings {
  /** `postgres://…`, password included. */
  readonly url: string;
  /** The most connections of one process; at least 2, because the migrator needs one beside the boot lock's. */
  readonly poolMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

/**
 * How one reaches the database: straight, or through a pooler such as PgBouncer, behind which a session's settings,
 * prepared statements and locks are not one's own.
 */
export type ConnectionMode = 'direct' | 'pooled';

/** What a query may take beyond its statement's time before the connection is given up for dead, in milliseconds. */
const ANSWER_MARGIN_MS = 1_000;

/** The largest integer that PostgreSQL's settings take. */
const MAX_SETTING = 2 ** 31 - 1;

/**
 * What the driver is told for each connection, in the driver's own words. With a statement time-out of 0, as migrations
 * need it, nothing is limited but the connecting.
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
      // The server keeps the time, but not where the network swallows what it says, nor behind a pooler.
      query_timeout: Math.min(statementTimeoutMs + ANSWER_MARGIN_MS, MAX_SETTING),
      // Settings of a session: a pooler ignores them or refuses the connection.
      ...(mode === 'direct' && {
        statement_timeout: statementTimeoutMs,
        // A process that stalls inside a transaction must not hold its rows for ever.
        idle_in_transaction_session_timeout: Math.min(3 * statementTimeoutMs, MAX_SETTING),
      }),
    }),
  };
}

/** Gives up a connection on which an answer did not come in time: `pg` would let the next query wait behind it. */
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
 * Waits until the database answers, trying again with growing pauses and saying so each time, and tells how it is
 * reached. Throws what it says when it answers with a refusal (no such database, wrong password), the last error when
 * `deadline` (milliseconds of the epoch) has passed, and the signal's reason when it aborts.
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
      // p-retry's own jitter is cut off with the pause; ours keeps replicas apart to the end.
      await delay(Math.random() * 250);
      return true;
    },
  });
}

async function tryToConnect(database: DatabaseSettings): Promise<ConnectionMode> {
  try {
    return await tryMode(database, 'direct');
  } catch (error) {
    // PgBouncer's words for a parameter that it neither knows nor was told to ignore (`ignore_startup_parameters`).
    if (!(error instanceof Error && error.message.includes('unsupported startup parameter'))) throw error;
    return await tryMode(database, 'pooled');
  }
}

async function tryMode(database: DatabaseSettings, mode: ConnectionMode): Promise<ConnectionMode> {
  const client = new pg.Client(clientConfig(database, mode)) as pg.Client & { processID: number };
  // A connection that breaks while idle says so in an event, and an event without a listener ends the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    // The process id that a connection was greeted with is the server's own, unless a pooler made one up.
    return mode === 'direct' && rows[0]?.pid !== client.processID ? 'pooled' : mode;
  } finally {
    await endClient(client, database);
  }
}

/** Ends a connection, and does not wait for ever where the other side no longer answers. */
export async function endClient(
  client: pg.Client,
  { connectTimeoutMs }: Pick<DatabaseSettings, 'connectTimeoutMs'>,
): Promise<void> {
  await Promise.race([client.end(), delay(connectTimeoutMs, undefined, { ref: false })]);
  client.connection.stream.destroy();
}
