import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterStage } from '../cluster/stage.ts';
import type { Fault } from './index.ts';

/** How long the standbys get nothing before their primary dies, in milliseconds. */
const LAG_MS = 2_000;

/** How long there are two PostgreSQL that accept writes, in milliseconds. */
const SPLIT_MS = 10_000;

/** How long etcd is gone, in milliseconds: longer than the leader's lock lives. */
const OUTAGE_MS = 30_000;

const mend = ({ cluster }: ClusterStage) => cluster.becomeWhole();

/** An orderly change of the primary, as before maintenance. */
export const switchover: Fault<ClusterStage> = {
  name: 'switchover',
  title: 'patronictl switchover',
  mend,
  inflict: ({ cluster }) => cluster.switchOver(),
};

/** The primary dies while its standbys are behind. */
export const lostPrimary: Fault<ClusterStage> = {
  name: 'lost-primary',
  title: `no replication for ${LAG_MS / 1_000} s, then SIGKILL of the primary's Patroni and PostgreSQL`,
  mayLose: true,
  mend,
  async inflict({ cluster }) {
    const primary = await cluster.primary();
    await primary.signalSenders('SIGSTOP');
    await pause(LAG_MS);
    await primary.kill();
  },
};

/** The primary's host hangs: its connections stay open, and nobody answers. */
export const frozenPrimary: Fault<ClusterStage> = {
  name: 'frozen-primary',
  title: "SIGSTOP of the primary's Patroni and PostgreSQL, which go on once another one serves",
  mayLose: true,
  async inflict({ cluster }) {
    const former = await cluster.primary();
    former.signalAll('SIGSTOP');
  },
  async mend({ cluster }) {
    for (const node of cluster.nodes) node.signalAll('SIGCONT');
    await cluster.becomeWhole();
  },
};

/** Nobody looks after the primary, which goes on, while another PostgreSQL becomes the primary. */
export const killPatroni: Fault<ClusterStage> = {
  name: 'kill-patroni',
  title: `SIGKILL of the primary's Patroni, but not of its PostgreSQL; a new start ${SPLIT_MS / 1_000} s after another has taken over`,
  splits: true,
  mend,
  async inflict({ cluster }) {
    const former = await cluster.primary();
    await former.killPatroni();
    await cluster.anotherThan(former);
    await pause(SPLIT_MS);
    await former.start();
  },
};

/** HAProxy is killed and started again. */
export const haproxyRestart: Fault<ClusterStage> = {
  name: 'haproxy-restart',
  title: 'SIGKILL and a new start of HAProxy',
  inflict: ({ haproxy }) => haproxy.restart(),
};

/** The place of the leader's lock is gone: the primary stays one, where Patroni can do without (`failsafe_mode`), or gives up its role. */
export const etcdOutage: Fault<ClusterStage> = {
  name: 'etcd-outage',
  title: `SIGKILL of etcd, which is started again ${OUTAGE_MS / 1_000} s later`,
  mend,
  async inflict({ cluster }) {
    await cluster.etcd.stop();
    await pause(OUTAGE_MS);
    await cluster.etcd.start();
  },
};
