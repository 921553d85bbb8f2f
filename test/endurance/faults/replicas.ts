import { setTimeout as pause } from 'node:timers/promises';
import { oneOf } from '../random.ts';
import type { Fault } from './index.ts';

/** SIGTERM for one replica after the other, as a new release does. */
export const rollingRestart: Fault = {
  name: 'rolling-restart',
  title: 'SIGTERM and a new start of each replica in turn',
  async inflict({ replicas }) {
    for (const replica of replicas) {
      await replica.stop();
      await replica.start();
    }
  },
};

/** SIGKILL for a replica. */
export const killReplica: Fault = {
  name: 'kill-replica',
  title: 'SIGKILL of a replica, which is started again a second later',
  async inflict({ replicas }, { random }) {
    const replica = oneOf(random, replicas);
    await replica.end('SIGKILL');
    await pause(1_000);
    await replica.start();
  },
};
