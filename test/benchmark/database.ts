import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbedded } from '../../src/database/embedded/index.ts';
import { type Clock, serverClock } from './usage.ts';

/** A PostgreSQL server of its own, for as long as the benchmark runs. */
export interface BenchmarkServer {
  readonly clock: Clock;
  /** Of the service. */
  readonly url: string;
  /** An empty database for the bare server, which writes no history: what it changed would not be in the service's. */
  readonly bareUrl: string;
  /** Stops the server and removes its files. */
  remove(): Promise<void>;
}

/** How many people make requests, and how many admins. */
export const PEOPLE = 1_000;
/** How many admins read lists. */
export const ADMINS = 10;

/** Starts a PostgreSQL with its default settings, fsync on, and empty databases. */
export async function startDatabase(): Promise<BenchmarkServer> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-benchmark-'));
  const server = await openEmbedded({
    directory: join(directory, 'postgres'),
    timeoutMs: 60_000,
    log: { info: () => undefined, warn: console.warn, error: console.error },
    parameters: { max_connections: '200' },
  });
  const [postmaster] = await query<{ pid: number }>(
    server.url,
    `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`,
  );
  await query(server.url, 'create database bare');
  const bareUrl = new URL(server.url);
  bareUrl.pathname = 'bare';
  return {
    clock: serverClock(postmaster?.pid ?? 0),
    url: server.url,
    bareUrl: `${bareUrl}`,
    async remove() {
      await server.release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/**
 * Fills a migrated database with accounts, each with the beginning of its history: `a1@example.com` and on are admins,
 * `u1@example.com` and on people.
 */
export async function fill(url: string, accounts: number): Promise<void> {
  await query(
    url,
    `with added as (
       insert into users (email, name, role, preferences, created_at, updated_at)
       select case when n <= $2 then 'a' || n else 'u' || n - $2 end || '@example.com', 'User ' || n,
              case when n <= $2 then 'admin' else 'user' end, '{"theme": "dark", "language": "en"}',
              now() - n * interval '1 second', now() - n * interval '1 second'
         from generate_series(1, $1) n
       returning *
     )
     insert into changes (at, actor, user_id, action, after, fields, version)
     select updated_at, 'benchmark', id, 'created',
            jsonb_build_object('email', email, 'name', name, 'role', role, 'status', status, 'storageMode', storage_mode,
              'preferences', preferences, 'createdAt', created_at),
            '{email,name,role,status,storageMode,preferences}', version
       from added order by id`,
    [accounts, ADMINS],
  );
  await query(url, 'vacuum analyze users');
  await query(url, 'vacuum analyze changes');
  await query(url, 'checkpoint');
}
