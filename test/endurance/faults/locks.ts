import { setTimeout as pause } from 'node:timers/promises';
import { LEDGER } from '../../../src/database/ledger-name.ts';
import { oneOf } from '../random.ts';
import type { Stage } from '../stage.ts';
import type { Fault } from './index.ts';

/** How long a lock is held, in milliseconds. */
const HELD_MS = 5_000;

/** Runs `work` while a transaction holds what `sql` locks. */
async function whileLocked({ connect }: Stage, sql: string, work: () => Promise<unknown>): Promise<void> {
  const client = await connect();
  try {
    await client.query(`begin; ${sql}`);
    await work();
  } finally {
    await client.end();
  }
}

/** A lock on an account that many want to write. */
export const lockRow: Fault = {
  name: 'lock-row',
  title: `a lock on one account for ${HELD_MS / 1_000} s`,
  inflict: (stage, { random, people }) =>
    whileLocked(stage, `select from users where email = '${oneOf(random, people)}' for update`, () =>
      pause(HELD_MS),
    ),
};

/** A lock on all accounts. */
export const lockTable: Fault = {
  name: 'lock-table',
  title: `an exclusive lock on the table of accounts for ${HELD_MS / 1_000} s`,
  inflict: (stage) => whileLocked(stage, 'lock table users in access exclusive mode', () => pause(HELD_MS)),
};

/** A lock on the migrations while a replica starts. */
export const lockAtBoot: Fault = {
  name: 'lock-at-boot',
  title: `an exclusive lock on the migrations for ${HELD_MS / 1_000} s while a replica starts`,
  async inflict(stage, { random }) {
    const replica = oneOf(random, stage.replicas);
    await replica.stop();
    await whileLocked(stage, `lock table ${LEDGER} in access exclusive mode`, async () => {
      await replica.begin();
      await pause(HELD_MS);
    });
    await replica.ready();
  },
};
