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
  /** Copies the service's database, to which nobody may be connected. */
  copy(): Promise<{ readonly url: string; drop(): Promise<void> }>;
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
  const urlOf = (name: string) => `${Object.assign(new URL(server.url), { pathname: name })}`;
  const bareUrl = urlOf('bare');
  return {
    clock: serverClock(postmaster?.pid ?? 0),
    url: server.url,
    bareUrl,
    async copy() {
      const name = new URL(server.url).pathname.slice(1);
      // Copies files, which leaves a checkpoint and no long log behind.
      await query(bareUrl, `create database copy template "${name}" strategy file_copy`);
      return { url: urlOf('copy'), drop: async () => void (await query(bareUrl, 'drop database copy')) };
    },
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
 * Fills a migrated database with accounts: `a1@example.com` and on are admins, `u1@example.com` and on people. Each has its whole
 * history: its creation and `changes` changes of its preferences, which are as far apart as the accounts together are old.
 */
export async function fill(url: string, accounts: number, changes = 0): Promise<void> {
  const indexes = await query<{ name: string; definition: string }>(
    url,
    `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
       from pg_index where indrelid = 'changes'::regclass and not indisunique`,
  );
  // Made at the end, which takes a part of the time.
  for (const { name } of indexes) await query(url, `drop index ${name}`);
  await query(
    url,
    `with added as (
       insert into users (email, name, role, preferences, version, created_at, updated_at)
       select case when n <= $2::int then 'a' || n else 'u' || n - $2::int end || '@example.com', 'User ' || n,
              case when n <= $2::int then 'admin' else 'user' end,
              jsonb_build_object('theme', 'dark', 'language', 'en') || case when $3::int > 0 then jsonb_build_object('theme', $3::int) else '{}' end,
              1 + $3::int, now() - (n + $3::float * $1::int) * interval '1 second', now() - n * interval '1 second'
         from generate_series(1, $1::int) n
       returning *
     )
     insert into changes (at, actor, user_id, action, after, fields, version)
     select created_at, 'benchmark', id, 'created',
            jsonb_build_object('email', email, 'name', name, 'role', role, 'status', status, 'storageMode', storage_mode,
              'preferences', '{"theme": "dark", "language": "en"}'::jsonb, 'createdAt', created_at),
            '{email,name,role,status,storageMode,preferences}', 1
       from added order by created_at, id`,
    [accounts, ADMINS, changes],
  );
  for (let change = 1; change <= changes; change++) {
    await query(
      url,
      `with written as (
         insert into changes (at, actor_id, actor, user_id, action, before, after, fields, version)
         select case when $1::int = $2::int then updated_at else created_at + $1::int * $3::float * interval '1 second' end,
                id, email, id, 'updated',
                jsonb_build_object('preferences', jsonb_build_object('theme', case when $1::int = 1 then '"dark"'::jsonb else to_jsonb($1::int - 1) end)),
                jsonb_build_object('preferences', jsonb_build_object('theme', $1::int)),
                '{preferences,preferences.theme}', 1 + $1::int
           from users where version = 1 + $2::int order by created_at, id
         returning id, at, fields
       )
       insert into change_fields (field, action, at, change_id)
       select field, 'updated', at, id from written cross join unnest(fields) as field`,
      [change, changes, accounts],
    );
  }
  for (const { definition } of indexes) await query(url, definition);
  for (const table of ['users', 'changes', 'change_fields']) await query(url, `vacuum analyze ${table}`);
  await query(url, 'checkpoint');
}
