import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStage } from '../stage.ts';
import type { Fault } from './index.ts';

/** PostgreSQL cannot be reached. */
export const outage: Fault<ServerStage> = {
  name: 'outage',
  title: 'every connection to PostgreSQL broken and refused for 10 s (60 s in long runs)',
  async inflict({ proxy }, { outageSeconds }) {
    await proxy.cut();
    await pause(outageSeconds * 1_000);
    await proxy.mend();
  },
};

/** How long the network says nothing, in milliseconds. */
const SILENT_MS = 5_000;

/** Nothing arrives any more, and nobody is told. */
export const silence: Fault<ServerStage> = {
  name: 'silence',
  title: `a network that loses everything for ${SILENT_MS / 1_000} s without closing a connection`,
  async inflict({ proxy }) {
    proxy.silence();
    await pause(SILENT_MS);
    await proxy.cut();
    await proxy.mend();
  },
};

/** How often answers are lost, and how long each time, in milliseconds. */
const ROUNDS = 8;
const LOST_MS = 400;

/** What is committed is not heard of: the service answers 503 for a write that is there. */
export const lostAnswers: Fault<ServerStage> = {
  name: 'lost-answers',
  title: `statements that arrive while their answers do not, and then broken connections, ${ROUNDS} times`,
  async inflict({ proxy }) {
    for (let round = 0; round < ROUNDS; round++) {
      proxy.silence('answers');
      await pause(LOST_MS);
      await proxy.cut();
      await proxy.mend();
      await pause(LOST_MS);
    }
  },
};
