import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { canMount } from '../disk.ts';
import type { ServerStage } from '../stage.ts';
import type { Fault } from './index.ts';

/** How long the disk is full, in milliseconds. */
const FULL_MS = 5_000;

/** How long PostgreSQL may take to recover by itself, in milliseconds. Then it is killed and started again, as an operator would do. */
const RECOVERY_MS = 60_000;

/** PostgreSQL has no disk space left, at last not even for its log of writes, which ends it. */
export const diskFull: Fault<ServerStage> = {
  name: 'disk-full',
  title: `no space left for PostgreSQL for ${FULL_MS / 1_000} s, until it ends, and a new start`,
  lacks: () => (canMount() ? undefined : 'only root can mount a small disk'),
  async inflict({ disk, postgres }) {
    try {
      await disk?.fill();
      await pause(FULL_MS);
      // The log has files in reserve.
      for (let n = 0; n < 5 && postgres.isRunning(); n++) {
        await postgres.query('checkpoint').catch(() => undefined);
        await postgres.query('select pg_switch_wal()').catch(() => undefined);
      }
      await pause(1_000);
    } finally {
      await disk?.free();
    }
    const answers = () =>
      postgres.query('select').then(
        () => true,
        () => false,
      );
    // It has ended, or is about to, or recovers by itself. Once, its recovery had hung for two minutes on a busy machine.
    await until('PostgreSQL', async () => !postgres.isRunning() || (await answers()), RECOVERY_MS).catch(() =>
      postgres.stop('SIGKILL'),
    );
    if (!postgres.isRunning()) await postgres.start();
  },
};
