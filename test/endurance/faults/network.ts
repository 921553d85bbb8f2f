import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from './index.ts';

/** PostgreSQL cannot be reached. */
export const outage: Fault = {
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
export const silence: Fault = {
  name: 'silence',
  title: `a network that loses everything for ${SILENT_MS / 1_000} s without closing a connection`,
  async inflict({ proxy }) {
    proxy.silence();
    await pause(SILENT_MS);
    await proxy.cut();
    await proxy.mend();
  },
};
