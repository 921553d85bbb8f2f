import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { until } from '../../support/until.ts';

/** An etcd of one node: it shows what happens to PostgreSQL, and not what happens to etcd, which has three in production. */
export interface Etcd {
  /** Its address, for Patroni. */
  readonly address: string;
  stop(): Promise<void>;
  /** Starts it again, with what it knew. */
  start(): Promise<void>;
}

/** Starts one. */
export async function startEtcd(host: string, folder: string, log: string): Promise<Etcd> {
  await mkdir(folder, { recursive: true });
  const [clients, peers] = [`http://${host}:2379`, `http://${host}:2380`];
  let etcd: Daemon;
  const start = async () => {
    etcd = await startDaemon({
      program: 'etcd',
      args: [
        ...['--name', 'etcd', '--data-dir', join(folder, 'data')],
        ...['--listen-client-urls', clients, '--advertise-client-urls', clients],
        ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
        ...['--initial-cluster', `etcd=${peers}`],
      ],
      cwd: folder,
      log,
    });
    await until('etcd', async () => {
      if (!etcd.isRunning()) throw new Error(`etcd has ended: ${etcd.said()}`);
      const answer = await fetch(`${clients}/health`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok;
    });
  };
  await start();
  return {
    address: `${host}:2379`,
    start,
    async stop() {
      await etcd.end('SIGKILL');
    },
  };
}
