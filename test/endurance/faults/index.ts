import type { Client } from '../client.ts';
import type { Random } from '../random.ts';
import type { Stage } from '../stage.ts';
import { hostileClients, overload } from './clients.ts';
import { clockStep } from './clock.ts';
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

/** Something that happens to a running service. */
export interface Fault {
  readonly name: string;
  /** What happens, for people. */
  readonly title: string;
  /** What this machine lacks for it. Default: nothing. */
  readonly lacks?: () => string | undefined;
  /** Lets it happen. Resolves once it is over. Throws where the service did not do what it must meanwhile. */
  inflict(stage: Stage, context: FaultContext): Promise<unknown>;
}

/** All faults. */
export const FAULTS: readonly Fault[] = [
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

/** What this machine lacks for a fault, if anything. */
export function missing(fault: Fault): string | undefined {
  return fault.lacks?.();
}
