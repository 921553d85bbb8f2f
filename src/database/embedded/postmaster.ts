import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { readCommandLine } from './processes.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/** PostgreSQL writes its lock file right after creating it: if it stays empty this long, its creator is dead. */
const EMPTY_LOCK_IS_DEAD_AFTER_MS = 2000;

/** The cluster's server, according to its lock file `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  /** Missing while the file is incomplete. */
  readonly port?: number;
  /** `dead`: only the file is left. `busy`: starting, recovering or stopping. */
  readonly state: 'ready' | 'busy' | 'dead';
}

/** Finds the cluster's server; `undefined` after a clean shutdown, or if there has been none yet. */
export async function findPostmaster(cluster: Cluster): Promise<Postmaster | undefined> {
  const file = join(cluster.location.data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') return (await isBeingWritten(file)) ? { pid: 0, state: 'busy' } : undefined;
  // One value per line: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  const state = !(await isRunning(cluster, pid)) ? 'dead' : lines[7] === 'ready' ? 'ready' : 'busy';
  return { pid, state, ...(port > 0 && { port }) };
}

/** Stops the server with a fast shutdown (rolls transactions back, writes a checkpoint) and waits until it is down. */
export async function stopPostmaster(cluster: Cluster, pid: number, deadline: Deadline): Promise<void> {
  if (!(await isRunning(cluster, pid))) return;
  process.kill(pid, 'SIGINT');
  await retry(deadline, cluster.location.title, async () => {
    if (await isRunning(cluster, pid)) throw new TryAgain('it is still stopping');
  });
}

/** Whether this pid is a server of this cluster, and not another process that reuses the pid. */
async function isRunning(cluster: Cluster, pid: number): Promise<boolean> {
  return `${await readCommandLine(pid)} `.includes(` cluster_name=${cluster.name} `);
}

/**
 * Whether a server is about to write an empty lock file. A server that is killed between creating and writing the file
 * leaves it empty, and PostgreSQL then never starts again; so this removes an old one. Even a wrong removal is safe,
 * because the shared memory prevents a second server.
 */
async function isBeingWritten(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => undefined);
  if (stats?.size !== 0) return false;
  if (Date.now() - stats.mtimeMs < EMPTY_LOCK_IS_DEAD_AFTER_MS) return true;
  await rm(file, { force: true });
  return false;
}
