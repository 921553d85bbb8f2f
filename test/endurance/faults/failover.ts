import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type pg from 'pg';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { dataDirectory } from '../../support/run-directory.ts';
import { until } from '../../support/until.ts';
import { SETTINGS, type ServerStage } from '../stage.ts';
import type { Fault } from './index.ts';

/** How long the standby follows before the primary dies, in milliseconds. */
const FOLLOWED_MS = 2_000;

/** How long a standby may take to catch up, in milliseconds. */
const PATIENCE_MS = 60_000;

/** The primary dies, and a synchronous standby takes its place behind the one address. */
export const failover: Fault<ServerStage> = {
  name: 'failover',
  title: 'SIGKILL of PostgreSQL, and a synchronous standby promoted behind the same address',
  async inflict(stage) {
    const primary = stage.postgres;
    const standby = await startStandby(stage);
    try {
      await primary.query(`alter system set synchronous_standby_names = '*'`);
      await primary.query('select pg_reload_conf()');
      const isSynchronous = async () =>
        (await primary.query(`select from pg_stat_replication where sync_state = 'sync'`)).length > 0;
      await until('the standby to be synchronous', isSynchronous, PATIENCE_MS);
      await pause(FOLLOWED_MS);
    } catch (error) {
      await standby.remove();
      throw error;
    }
    await primary.stop('SIGKILL');
    await standby.query('select pg_promote()');
    stage.postgres = standby;
    stage.proxy.lead(await stage.url());
    await stage.proxy.cut();
    await stage.proxy.mend();
    await primary.remove();
  },
};

/** Starts a standby from a base backup of the primary. */
async function startStandby({ postgres, disk, connect }: ServerStage): Promise<PostgresServer> {
  const parent = disk?.folder ?? dataDirectory();
  const backup = await mkdtemp(join(parent, 'backup-'));
  const model = join(backup, 'data');
  const session: pg.Client = await connect();
  try {
    await session.query(`select pg_backup_start('endurance', fast => true)`);
    // Files that vanish meanwhile are in the log of writes.
    await promisify(execFile)('cp', ['-a', postgres.data, model]).catch(() => undefined);
    const { rows } = await session.query<{ labelfile: string }>('select labelfile from pg_backup_stop()');
    for (const name of ['postmaster.pid', 'postmaster.opts']) await rm(join(model, name), { force: true });
    return await startPostgres({
      primary: postgres,
      model,
      settings: SETTINGS,
      files: { backup_label: rows[0]?.labelfile ?? '' },
      ...(disk && { parent: disk.folder }),
    });
  } finally {
    await session.end();
    await rm(backup, { recursive: true, maxRetries: 5 });
  }
}
