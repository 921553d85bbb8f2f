import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { locationOf } from '../../../src/database/embedded/cluster.ts';
import { chooseOsUser } from '../../../src/database/embedded/os-user.ts';
import { dataDirectory } from '../../support/run-directory.ts';
import { until } from '../../support/until.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import { Node, PASSWORD, PATRONI_FILE } from './node.ts';
import { postgresBinaries } from './programs.ts';

/** How long the cluster may take to be made, or to be whole again, in milliseconds. */
const PATIENCE_MS = 180_000;

/** How long standbys may take for what was written meanwhile, before everything is asked again, in milliseconds. */
const CATCH_UP_MS = 5_000;

/** The standbys that have everything up to a place in the log of writes. */
const FOLLOW = `
  select sync_state = 'sync' as "isSync" from pg_stat_replication where state = 'streaming' and flush_lsn >= $1`;

/** Three PostgreSQL under Patroni, with an etcd of one node. */
export interface Cluster {
  readonly nodes: readonly Node[];
  readonly etcd: Etcd;
  /** Whether a commit waits for a standby. */
  readonly isSynchronous: boolean;
  /** The node that is the primary now. Waits until there is one. */
  primary(): Promise<Node>;
  /** Waits until another node than this one is the primary. */
  anotherThan(former: Node): Promise<Node>;
  /** Starts what has ended, and waits until the standbys have all that the primary had, one of them synchronously where one has to. */
  becomeWhole(): Promise<void>;
  /** Hands the role of the primary over, by `patronictl switchover`. */
  switchOver(): Promise<void>;
  close(): Promise<void>;
}

/** Where a cluster is made. */
export interface ClusterOptions {
  /** The address of host 1, 2, … */
  readonly hosts: (host: number) => string;
  readonly isSynchronous: boolean;
  /** A folder for logs. */
  readonly logs: string;
}

/** The URL of the superuser at a host. */
export function superuserAt(host: string, database: string): string {
  return `postgres://postgres:${PASSWORD}@${host}:5432/${database}`;
}

/** Makes one, and waits until it is whole. */
export async function startCluster({ hosts, isSynchronous, logs }: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(dataDirectory(), 'patroni-'));
  // PostgreSQL refuses to run as root, and Patroni starts it.
  const { ids } = await chooseOsUser(locationOf(folder));
  const give = async (path: string) => {
    if (ids) await chown(path, ids.uid, ids.gid);
  };
  await give(folder);
  const etcd = await startEtcd(hosts(20), join(folder, 'etcd'), join(logs, 'etcd.log'));
  const nodes: Node[] = [];
  for (const number of [1, 2, 3]) {
    const name = `db${number}`;
    const place = join(folder, name);
    await mkdir(place);
    await give(place);
    const log = join(logs, `${name}.log`);
    const binaries = postgresBinaries() ?? '';
    nodes.push(
      new Node({ name, host: hosts(10 + number), etcd: etcd.address, folder: place, binaries, ids, log }),
    );
  }
  const find = async () => {
    const found = await Promise.all(nodes.map((node) => node.isPrimary()));
    return nodes.find((_, n) => found[n]);
  };
  const isWhole = async ({ host }: Node) => {
    const client = new pg.Client({ connectionString: superuserAt(host, 'postgres') });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const [now] = (await client.query('select pg_current_wal_insert_lsn() as lsn')).rows;
      const have = async () => {
        const { rows } = await client.query(FOLLOW, [now.lsn]);
        return rows.length === nodes.length - 1 && rows.some(({ isSync }) => isSync) === isSynchronous;
      };
      return await until('the standbys', have, CATCH_UP_MS);
    } catch {
      // The primary has changed, or a standby comes later.
      return false;
    } finally {
      client.connection.stream.destroy();
    }
  };
  const cluster: Cluster = {
    nodes,
    etcd,
    isSynchronous,
    primary: () => until('a primary', find, PATIENCE_MS),
    async anotherThan(former) {
      const other = async () => {
        const found = await find();
        return found === former ? undefined : found;
      };
      return until('another primary', other, PATIENCE_MS);
    },
    async becomeWhole() {
      for (const node of nodes) if (!node.isRunning) await node.start();
      await until('the cluster', async () => isWhole(await cluster.primary()), PATIENCE_MS);
    },
    async switchOver() {
      const former = await cluster.primary();
      const args = ['-c', PATRONI_FILE, 'switchover', 'rollcall', '--leader', former.name, '--force'];
      const env = { PATH: process.env['PATH'], ...former.env };
      await promisify(execFile)('patronictl', args, { env, timeout: PATIENCE_MS });
      await cluster.anotherThan(former);
    },
    async close() {
      for (const node of nodes) await node.kill();
      await etcd.stop();
      await rm(folder, { recursive: true, maxRetries: 5 });
    },
  };
  try {
    await nodes[0]?.start();
    const { host } = await cluster.primary();
    // The file that operators copy is synchronous.
    await fetch(`http://${host}:8008/config`, {
      method: 'PATCH',
      body: JSON.stringify({ synchronous_mode: isSynchronous }),
    });
    await cluster.becomeWhole();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}
