import type { Client } from '../client.ts';
import type { ClusterStage } from '../cluster/stage.ts';
import type { Random } from '../random.ts';
import type { ServerStage, Stage } from '../stage.ts';
import { hostileClients, overload } from './clients.ts';
import { clockStep } from './clock.ts';
import {
  etcdOutage,
  frozenPrimary,
  haproxyRestart,
  killPatroni,
  lostPrimary,
  switchover,
} from './cluster.ts';
import { killBackEnds, killPostgres } from './database.ts';
import { diskFull } from './disk-full.ts';
import { failover } from './failover.ts';
import { lockAtBoot, lockRow, lockTable } from './locks.ts';
import { lostAnswers, outage, silence } from './network.ts';
import { poolerRestart } from './pooler.ts';
import { killReplica, rollingRestart } from './replicas.ts';

/** What a fault may ask for. */
export interface FaultContext {
  readonly random: Random;
  readonly client: Client;
  /** How long the database is gone, in seconds. */
  readonly outageSeconds: number;
  /** The emails of accounts that are written all the time. */
  readonly people: readonly string[];
}

/** Something that happens to a running service on a stage. */
export interface Fault<S extends Stage = Stage> {
  readonly name: string;
  /** What happens, for people. */
  readonly title: string;
  /** What this machine lacks for it. Default: nothing. */
  readonly lacks?: () => string | undefined;
  /** Lets it happen. Resolves once it is over. Throws where the service did not do what it must meanwhile. */
  inflict(stage: S, context: FaultContext): Promise<unknown>;
  /** Puts right, once the service has recovered, what it can do without. */
  mend?(stage: S): Promise<unknown>;
  /** Whether it may lose what a standby has not got, where no commit waits for one. */
  readonly mayLose?: true;
  /** Whether two servers accept writes meanwhile. */
  readonly splits?: true;
}

/** All faults of a stage with one PostgreSQL. */
export const FAULTS: readonly Fault<ServerStage>[] = [
  rollingRestart,
  killReplica,
  killBackEnds,
  killPostgres,
  lockRow,
  lockTable,
  lockAtBoot,
  outage,
  silence,
  lostAnswers,
  diskFull,
  overload,
  hostileClients,
  poolerRestart,
  failover,
  clockStep,
];

/** All faults of a stage with a cluster under Patroni. */
export const CLUSTER_FAULTS: readonly Fault<ClusterStage>[] = [
  switchover,
  lostPrimary,
  frozenPrimary,
  killPatroni,
  haproxyRestart,
  etcdOutage,
];

/** What this machine lacks for a fault, if anything. */
export function missing(fault: Pick<Fault, 'lacks'>): string | undefined {
  return fault.lacks?.();
}
