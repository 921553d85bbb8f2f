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

/** What a run is played on: three replicas, and the PostgreSQL that they reach through one address. */
export interface Stage {
  readonly replicas: readonly Replica[];
  readonly proxy: DatabaseProxy;
  /** In front of the last replica, where PgBouncer is installed. */
  readonly pooler: Pooler | undefined;
  /** The server behind the address, which a failover replaces. */
  postgres: PostgresServer;
  /** What the data of PostgreSQL is on, where a small disk could be mounted. */
  readonly disk: Disk | undefined;
  /** A folder for what faults need. */
  readonly folder: string;
  /** Runs SQL as the superuser, past the address. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Opens a session of the superuser, to hold locks with. */
  connect(): Promise<pg.Client>;
  /** The database past the address. */
  url(): string;
  /** Starts whatever does not run, and returns what did not. */
  repair(): Promise<string[]>;
  close(): Promise<void>;
}

/** The settings of its PostgreSQL and of its standbys: written to disk as in production, and with what a standby needs. */
export const SETTINGS = { fsync: 'on', max_connections: '200', wal_keep_size: '64MB', max_wal_size: '64MB' };

/** PgBouncer waits for 15 s before it tries to reach PostgreSQL again, unless it is told otherwise. */
const POOLER = 'default_pool_size = 10\nserver_login_retry = 1';

/** The owner of the database, who is no superuser. */
const SETUP = [
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
export async function openStage({ entry, folder, diskMegabytes }: StageOptions): Promise<Stage> {
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
  const connect = async () => {
    const client = new pg.Client({ connectionString: stage.url() });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const stage: Stage = {
    replicas,
    proxy,
    pooler,
    postgres: first,
    disk,
    folder,
    connect,
    url: () => urlOf(stage.postgres, 'postgres'),
    async query(sql, values) {
      const client = await connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end();
      }
    },
    async repair() {
      const found: string[] = [];
      if (!stage.postgres.isRunning()) {
        found.push('PostgreSQL');
        await stage.postgres.start();
      }
      for (const replica of replicas) {
        if (replica.isRunning) continue;
        found.push(replica.name);
        await replica.start();
      }
      return found;
    },
    async close() {
      await Promise.all(replicas.map((replica) => replica.end('SIGKILL')));
      await pooler?.close();
      await proxy.close();
      await stage.postgres.remove();
      await disk?.remove();
    },
  };
  try {
    // All at once on an empty database.
    await Promise.all(replicas.map((replica) => replica.start()));
  } catch (error) {
    await stage.close();
    throw error;
  }
  return stage;
}

function urlOf({ port }: PostgresServer, role: string): string {
  return `postgres://${role}@127.0.0.1:${port}/rollcall`;
}
