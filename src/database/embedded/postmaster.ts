import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { commandLine } from './processes.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/** PostgreSQL writes its lock file right after making it: one that stays empty this long has lost its maker. */
const EMPTY_LOCK_IS_DEAD_AFTER_MS = 2000;

/** A server of the cluster, as its lock file `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  /** Missing while the file is still being written. */
  readonly port?: number;
  /** `dead`: the file is all that is left. `busy`: starting, recovering or stopping. */
  readonly state: 'ready' | 'busy' | 'dead';
}

/** Looks for the cluster's server; undefined when the last one left in good order, or there never was one. */
export async function findPostmaster(cluster: Cluster): Promise<Postmaster | undefined> {
  const file = join(cluster.place.data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') return (await isBeingWritten(file)) ? { pid: 0, state: 'busy' } : undefined;
  // One a line: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  const state = !(await isRunning(cluster, pid)) ? 'dead' : lines[7] === 'ready' ? 'ready' : 'busy';
  return { pid, state, ...(port > 0 && { port }) };
}

/** Shuts the server down in order (transactions roll back, a checkpoint is written); resolves when it is gone. */
export async function stopPostmaster(cluster: Cluster, pid: number, deadline: Deadline): Promise<void> {
  if (!(await isRunning(cluster, pid))) return;
  process.kill(pid, 'SIGINT');
  await retry(deadline, cluster.place.title, async () => {
    if (await isRunning(cluster, pid)) throw new TryAgain('it is still shutting down');
  });
}

/** Whether this pid is a server of this cluster, and not what else the pid was given to since. */
async function isRunning(cluster: Cluster, pid: number): Promise<boolean> {
  return `${await commandLine(pid)} `.includes(` cluster_name=${cluster.mark} `);
}

/**
 * Whether an empty lock file is about to be written. Killed between making it
 * and writing it, a server leaves one at which PostgreSQL balks for good: that
 * is removed. (Even if wrongly: no second server gets past the shared memory.)
 */
async function isBeingWritten(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found?.size !== 0) return false;
  if (Date.now() - found.mtimeMs < EMPTY_LOCK_IS_DEAD_AFTER_MS) return true;
  await rm(file, { force: true });
  return false;
}
