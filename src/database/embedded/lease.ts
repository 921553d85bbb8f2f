import pg from 'pg';
import { type Cluster, USER } from './cluster.ts';
import { findPostmaster, stopPostmaster } from './postmaster.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/**
 * "rollcall" in ASCII. Advisory locks are per database:
 * everybody meets in the maintenance database `postgres`.
 */
const LOCK = "x'726f6c6c63616c6c'::bigint";
const DATABASE = 'rollcall';
const LEASE = 'rollcall lease';

const WHO_ARE_YOU = `select pg_backend_pid() as backend,
  split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as postmaster`;

/** Starting, stopping, terminated, full, or the wait for a lock took too long: all pass. */
const PASSING = new Set(['57P01', '57P02', '57P03', '53300', '57014']);

/** A connection of our own to the server. */
export interface Session {
  readonly client: pg.Client;
  /** The pid of the server's process at the other end. */
  readonly backend: number;
  /** The pid of the very server that answers, from its own mouth. */
  readonly postmaster: number;
  /** Resolves when the connection is gone, whichever side closed it. */
  readonly closed: Promise<unknown>;
}

/**
 * Takes a lease: an advisory lock that all users of the server share, held by a session of its own, so that
 * PostgreSQL itself frees it when its holder dies, even by kill -9. It does not keep the process alive. Makes
 * the database when it is missing.
 * @throws TryAgain when the server is starting or about to stop.
 */
export async function takeLease(cluster: Cluster, port: number, deadline: Deadline): Promise<Session> {
  const session = await connect(cluster, port, deadline);
  try {
    // Waits for whoever holds the lock alone, in order to
    // stop the server; then this connection breaks with it.
    await ask(session.client, `select pg_advisory_lock_shared(${LOCK})`);
    await ensureDatabase(session.client);
  } catch (error) {
    close(session);
    throw error;
  }
  keepAlive(session.client, false);
  return session;
}

/**
 * Gives up a lease, or what was one, and stops the server if nobody holds another. Without a session, or when
 * it breaks, it goes by a new one, as long as there is a server.
 * @param first what to do at the server before.
 */
export async function leave(
  cluster: Cluster,
  deadline: Deadline,
  lease?: Session,
  first: (session: Session) => Promise<unknown> = async () => {},
): Promise<void> {
  let held = lease;
  await retry(deadline, cluster.place.title, async () => {
    const session = held ?? (await connectIfRunning(cluster, deadline));
    held = undefined;
    if (!session) return;
    keepAlive(session.client, true); // or the process could end in the middle of this
    try {
      await first(session);
      await ask(session.client, 'select pg_advisory_unlock_all()');
      const [row] = await ask<{ last: boolean }>(
        session.client,
        `select pg_try_advisory_lock(${LOCK}) as last`,
      );
      // Alone with the lock, until the server is gone: nobody can take a lease and then lose it.
      if (row?.last) await stopPostmaster(cluster, session.postmaster, deadline);
    } finally {
      close(session);
    }
  });
}

/** Ends the session of a lease whose process cannot do so itself; nothing happens when it is no lease. */
export async function terminate({ client }: Session, backend: number): Promise<void> {
  const sql =
    'select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = $1 and application_name = $2';
  await ask(client, sql, [backend, LEASE]);
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
    ssl: false, // whatever PGSSLMODE says
    application_name: LEASE,
    connectionTimeoutMillis: deadline.left(),
    statement_timeout: deadline.left(),
  });
  client.on('error', () => {}); // heard by `closed`, and by whoever asks next
  const closed = new Promise((resolve) => client.once('end', resolve));
  try {
    await client.connect().catch(translate);
    const [row] = await ask<{ backend: number; postmaster: number }>(client, WHO_ARE_YOU);
    if (!row) throw new TryAgain('it does not say who it is');
    return { client, ...row, closed };
  } catch (error) {
    void client.end().catch(() => {});
    throw (error as { code?: string }).code === '28P01'
      ? new Error(`The server refuses the password in ${cluster.place.password}.`, { cause: error })
      : error;
  }
}

async function ensureDatabase(client: pg.Client): Promise<void> {
  const found = await ask(client, 'select from pg_database where datname = $1', [DATABASE]);
  if (found.length > 0) return;
  try {
    await ask(client, `create database ${DATABASE}`);
  } catch (error) {
    // 42P04 duplicate_database, 23505 unique_violation: another process made it in this instant.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

async function ask<Row extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values?: unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(sql, values).catch(translate);
  return rows;
}

/** A connection that breaks, or never came about, is no error here: the server is going, or coming. */
function translate(error: Error): never {
  const lasting = error instanceof pg.DatabaseError && !PASSING.has(error.code ?? '');
  throw lasting ? error : new TryAgain(`it does not answer: ${error.message}`, { cause: error });
}

function keepAlive(client: pg.Client, yes: boolean): void {
  const handle = client as pg.Client & { ref(): void; unref(): void }; // missing in @types/pg
  if (yes) handle.ref();
  else handle.unref();
}

function close({ client }: Session): void {
  void client.end().catch(() => {});
}
