import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStage } from '../stage.ts';
import type { Fault } from './index.ts';

/** How often all back ends are ended, and how far apart, in milliseconds. */
const ROUNDS = 10;
const APART_MS = 300;

/** Ends the back ends of the service. */
export const killBackEnds: Fault = {
  name: 'kill-back-ends',
  title: `pg_terminate_backend for all connections of the service, ${ROUNDS} times`,
  async inflict({ query }) {
    for (let round = 0; round < ROUNDS; round++) {
      await query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rollcall'`);
      await pause(APART_MS);
    }
  },
};

/** SIGKILL for PostgreSQL, which is started again. */
export const killPostgres: Fault<ServerStage> = {
  name: 'kill-postgres',
  title: 'SIGKILL of the postmaster, which is started again a second later',
  async inflict({ postgres }) {
    await postgres.stop('SIGKILL');
    await pause(1_000);
    await postgres.start();
  },
};
