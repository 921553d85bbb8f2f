import pg from 'pg';
import { type Cluster, USER } from './cluster.ts';
import { findPostmaster, stopPostmaster } from './postmaster.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/** "rollcall" in ASCII. Advisory locks are per database, so all leases use the maintenance database `postgres`. */
const LOCK = "x'726f6c6c63616c6c'::bigint";
const DATABASE = 'rollcall';
const APPLICATION_NAME = 'rollcall lease';

const IDENTIFY_SERVER = `select pg_backend_pid() as backend,
  split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as postmaster`;

/** Starting, stopping, terminated, out of connections, or a lock timeout: all temporary. */
const TEMPORARY_ERRORS = new Set(['57P01', '57P02', '57P03', '53300', '57014']);

/** A dedicated connection to the server. */
export interface Session {
  readonly client: pg.Client;
  /** The pid of the server process that serves this connection. */
  readonly backend: number;
  /** The pid of the server, as reported by the server itself. */
  readonly postmaster: number;
  /** Resolves when either side has closed the connection. */
  readonly closed: Promise<unknown>;
}

/**
 * Takes a lease: a shared advisory lock in a dedicated session. PostgreSQL frees the lock when its holder dies, even by
 * kill -9. The session does not keep this process alive. Creates the database if it is missing.
 * @throws {TryAgain} if the server is starting or stopping.
 */
export async function takeLease(cluster: Cluster, port: number, deadline: Deadline): Promise<Session> {
  const session = await connect(cluster, port, deadline);
  try {
    // A process that stops the server holds the lock exclusively: this waits, and then breaks with the server.
    await query(session.client, `select pg_advisory_lock_shared(${LOCK})`);
    await ensureDatabase(session.client);
  } catch (error) {
    close(session);
    throw error;
  }
  holdProcess(session.client, false);
  return session;
}

/**
 * Releases a lease, and stops the server if no other lease is held. Without a session, or if it breaks, opens a new one
 * as long as the server runs.
 * @param before runs first, on the session.
 */
export async function releaseLease(
  cluster: Cluster,
  deadline: Deadline,
  lease?: Session,
  before: (session: Session) => Promise<unknown> = async () => {},
): Promise<void> {
  let held = lease;
  await retry(deadline, cluster.location.title, async () => {
    const session = held ?? (await connectIfRunning(cluster, deadline));
    held = undefined;
    if (!session) return;
    holdProcess(session.client, true); // or the process could end half-way
    try {
      await before(session);
      await query(session.client, 'select pg_advisory_unlock_all()');
      const [row] = await query<{ last: boolean }>(
        session.client,
        `select pg_try_advisory_lock(${LOCK}) as last`,
      );
      // The exclusive lock lasts until the server is down: no process can take a lease that is then lost.
      if (row?.last) await stopPostmaster(cluster, session.postmaster, deadline);
    } finally {
      close(session);
    }
  });
}

/** Ends the session of a lease whose process can no longer do so. Does nothing if `backend` holds no lease. */
export async function terminateLease({ client }: Session, backend: number): Promise<void> {
  const sql =
    'select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = $1 and application_name = $2';
  await query(client, sql, [backend, APPLICATION_NAME]);
}

async function connectIfRunning(cluster: Cluster, deadline: Deadline): Promise<Session | undefined> {
  const server = await findPostmaster(cluster);
  if (!server || server.state === 'dead') return undefined;
  if (server.state === 'busy' || !server.port) throw new TryAgain('it is starting or stopping');
  return connect(cluster, server.port, deadline);
}

async function connect(cluster: Cluster, port: number, deadline: Deadline): Promise<Session> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: USER,
    password: cluster.password,
    database: 'postgres',
    ssl: false, // overrides PGSSLMODE
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: deadline.left(),
    statement_timeout: deadline.left(),
  });
  client.on('error', () => {}); // `closed` and the next query report it
  const closed = new Promise((resolve) => client.once('end', resolve));
  try {
    await client.connect().catch(rethrow);
    const [row] = await query<{ backend: number; postmaster: number }>(client, IDENTIFY_SERVER);
    if (!row) throw new TryAgain('it did not identify itself');
    return { client, ...row, closed };
  } catch (error) {
    void client.end().catch(() => {});
    throw (error as { code?: string }).code === '28P01'
      ? new Error(
          `The embedded PostgreSQL refuses the password in ${cluster.location.password}: restore that file.`,
          { cause: error },
        )
      : error;
  }
}

async function ensureDatabase(client: pg.Client): Promise<void> {
  const found = await query(client, 'select from pg_database where datname = $1', [DATABASE]);
  if (found.length > 0) return;
  try {
    await query(client, `create database ${DATABASE}`);
  } catch (error) {
    // 42P04 duplicate_database, 23505 unique_violation: another process created it at the same time.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

async function query<Row extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values?: unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(sql, values).catch(rethrow);
  return rows;
}

/** Rethrows a permanent error. A broken or failed connection is temporary: the server is stopping or starting. */
function rethrow(error: Error): never {
  const isPermanent = error instanceof pg.DatabaseError && !TEMPORARY_ERRORS.has(error.code ?? '');
  throw isPermanent ? error : new TryAgain(`it does not respond: ${error.message}`, { cause: error });
}

/** Sets whether the connection keeps this process alive. */
function holdProcess(client: pg.Client, isHeld: boolean): void {
  const handle = client as pg.Client & { ref(): void; unref(): void }; // missing in @types/pg
  if (isHeld) handle.ref();
  else handle.unref();
}

function close({ client }: Session): void {
  void client.end().catch(() => {});
}
