import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { dataDirectory } from '../support/run-directory.ts';
import { canMount, type Disk, mountDisk } from './disk.ts';
import { has } from './programs.ts';
import { Replica } from './replica.ts';

/** How many replicas there are. */
const REPLICAS = 3;

/** What a run is played on: replicas, and the PostgreSQL that they reach. */
export interface Stage {
  readonly replicas: readonly Replica[];
  /** In front of the last replica, where PgBouncer is installed. */
  readonly pooler: Pooler | undefined;
  /** A folder for what faults need. */
  readonly folder: string;
  /** Runs SQL as the superuser, past the address. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Opens a session of the superuser, to hold locks with. */
  connect(): Promise<pg.Client>;
  /** The database past the address. */
  url(): Promise<string>;
  /** Starts whatever does not run, and returns what did not. */
  repair(): Promise<string[]>;
  close(): Promise<void>;
}

/** A stage of three replicas with one PostgreSQL, which they reach through one address. */
export interface ServerStage extends Stage {
  readonly proxy: DatabaseProxy;
  /** The server behind the address, which a failover replaces. */
  postgres: PostgresServer;
  /** What the data of PostgreSQL is on, where a small disk could be mounted. */
  readonly disk: Disk | undefined;
}

/** The settings of its PostgreSQL and of its standbys: written to disk as in production, and with what a standby needs. */
export const SETTINGS = { fsync: 'on', max_connections: '200', wal_keep_size: '64MB', max_wal_size: '64MB' };

/** PgBouncer waits for 15 s before it tries to reach PostgreSQL again, unless it is told otherwise. */
export const POOLER = 'default_pool_size = 10\nserver_login_retry = 1';

/** The statements that create the database and its owner, who is no superuser. */
export const SETUP = [
  `create role rollcall login password 'only-for-tests'`,
  'create database rollcall owner rollcall',
];

/** How to set a stage up. */
export interface StageOptions {
  /** The program of the service. */
  readonly entry: string;
  /** A folder for the log of each replica, and for what faults need. */
  readonly folder: string;
  /** The size of the disk of PostgreSQL. Default: no disk of its own. */
  readonly diskMegabytes?: number | undefined;
}

/** Starts all of it. */
export async function openStage({ entry, folder, diskMegabytes }: StageOptions): Promise<ServerStage> {
  await mkdir(folder, { recursive: true });
  const disk = diskMegabytes && canMount() ? await mountDisk(dataDirectory(), diskMegabytes) : undefined;
  const first = await startPostgres({ settings: SETTINGS, ...(disk && { parent: disk.folder }) });
  for (const statement of SETUP) await first.query(statement);
  const proxy = await startProxy(urlOf(first, 'rollcall:only-for-tests'));
  const pooler = has('pgbouncer') ? await startPooler({ url: proxy.url }, POOLER) : undefined;
  const replicas: Replica[] = [];
  for (let n = 0; n < REPLICAS; n++) {
    const databaseUrl = n === REPLICAS - 1 && pooler ? pooler.url : proxy.url;
    const name = `replica-${n + 1}`;
    replicas.push(await Replica.create({ name, databaseUrl, entry, log: join(folder, `${name}.log`) }));
  }
  const url = async () => urlOf(stage.postgres, 'postgres');
  const stage: ServerStage = {
    ...querying(url),
    replicas,
    proxy,
    pooler,
    postgres: first,
    disk,
    folder,
    url,
    async repair() {
      const found: string[] = [];
      if (!stage.postgres.isRunning()) {
        found.push('PostgreSQL');
        await stage.postgres.start();
      }
      return [...found, ...(await startMissing(replicas))];
    },
    close: () =>
      closeAll(replicas, [
        ...[{ close: async () => disk?.remove() }, { close: () => stage.postgres.remove() }, proxy],
        ...(pooler ? [pooler] : []),
      ]),
  };
  try {
    await startTogether(replicas);
  } catch (error) {
    await stage.close();
    throw error;
  }
  return stage;
}

/** How a stage asks the database at `url` as the superuser. */
export function querying(url: () => Promise<string>): Pick<Stage, 'connect' | 'query'> {
  const connect = async () => {
    const client = new pg.Client({ connectionString: await url() });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  return {
    connect,
    async query(sql, values) {
      const client = await connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end();
      }
    },
  };
}

/** Starts the replicas, all at once on an empty database. */
export async function startTogether(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.start()));
}

/** Starts those that do not run, and returns their names. */
export async function startMissing(replicas: readonly Replica[]): Promise<string[]> {
  const missing = replicas.filter(({ isRunning }) => !isRunning);
  for (const replica of missing) await replica.start();
  return missing.map(({ name }) => name);
}

/** Kills the replicas, and closes what has been opened for them, the last first. */
export async function closeAll(
  replicas: readonly Replica[],
  opened: readonly { close(): Promise<unknown> }[],
): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.end('SIGKILL')));
  for (const each of opened.toReversed()) await each.close();
}

function urlOf({ port }: PostgresServer, role: string): string {
  return `postgres://${role}@127.0.0.1:${port}/rollcall`;
}
