import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Haproxy, startHaproxy } from '../../support/haproxy.ts';
import { startPooler } from '../../support/pooler.ts';
import { Replica } from '../replica.ts';
import { closeAll, POOLER, querying, SETUP, type Stage, startMissing, startTogether } from '../stage.ts';
import { type Cluster, startCluster, superuserAt } from './cluster.ts';
import { loopbackHosts } from './network.ts';

/** A stage with a cluster under Patroni. Its replicas reach it in three ways, after which they are called. */
export interface ClusterStage extends Stage {
  readonly cluster: Cluster;
  /** The number of the replica that reaches PostgreSQL past HAProxy. */
  readonly unfenced: number;
  readonly haproxy: Haproxy;
}

/** The file that operators copy. */
const HAPROXY_FILE = 'config/high-availability/haproxy.cfg';

/** How to set it up. */
export interface ClusterStageOptions {
  /** The program of the service. */
  readonly entry: string;
  /** A folder for all logs. */
  readonly folder: string;
  readonly isSynchronous: boolean;
}

/** Starts all of it. */
export async function openClusterStage({
  entry,
  folder,
  isSynchronous,
}: ClusterStageOptions): Promise<ClusterStage> {
  await mkdir(folder, { recursive: true });
  const hosts = loopbackHosts();
  const cluster = await startCluster({ hosts, isSynchronous, logs: folder });
  const opened: { close(): Promise<unknown> }[] = [cluster];
  const replicas: Replica[] = [];
  const close = () => closeAll(replicas, opened);
  try {
    const [db1, db2, db3] = cluster.nodes.map(({ host }) => host) as [string, string, string];
    const front = { host: hosts(30), port: 5432 };
    const haproxy = await startHaproxy(
      HAPROXY_FILE,
      { LISTEN: front.host, DB1: db1, DB2: db2, DB3: db3 },
      front,
    );
    opened.push(haproxy);
    const urlAt = async (database: string) => superuserAt((await cluster.primary()).host, database);
    for (const statement of SETUP) await querying(() => urlAt('postgres')).query(statement);
    const pooler = await startPooler({ url: urlOf(`${front.host}:5432`) }, POOLER);
    opened.push(pooler);
    const addresses = {
      haproxy: urlOf(`${front.host}:5432`),
      hosts: urlOf(`${db1}:5432,${db2}:5432,${db3}:5432`),
      pgbouncer: pooler.url,
    };
    for (const [name, databaseUrl] of Object.entries(addresses))
      replicas.push(await Replica.create({ name, databaseUrl, entry, log: join(folder, `${name}.log`) }));
    const url = () => urlAt('rollcall');
    await startTogether(replicas);
    const repair = () => startMissing(replicas);
    const unfenced = replicas.findIndex(({ name }) => name === 'hosts');
    return { ...querying(url), replicas, pooler, folder, cluster, unfenced, haproxy, url, repair, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const urlOf = (target: string) => `postgres://rollcall:only-for-tests@${target}/rollcall`;
