import { has } from '../programs.ts';
import type { Fault } from './index.ts';

/** PgBouncer is killed and started again. */
export const poolerRestart: Fault = {
  name: 'pooler-restart',
  title: 'SIGKILL and a new start of the PgBouncer in front of one replica',
  lacks: () => (has('pgbouncer') ? undefined : 'PgBouncer is not installed'),
  async inflict({ pooler }) {
    await pooler?.restart();
  },
};
