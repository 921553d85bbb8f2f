import { DatabaseUnfit } from '../../database/unfit.ts';
import { STARTED_AT } from '../log-end.ts';
import type { PrimaryLog } from './primary-log.ts';

/**
 * Why a replica is not used: it does not answer, is no standby of the primary that will do, lags too far behind, or is the primary
 * itself, as one of the servers of a cluster always is.
 */
export type FaultKind = 'gone' | 'unfit' | 'late' | 'primary';

/** What is wrong with a replica. */
export interface Fault {
  readonly kind: FaultKind;
  readonly reason: string;
}

/** The statement that asks a server for its {@link ReplicaState}. */
export const STATE = `
  select pg_is_in_recovery() as "isStandby", (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text as lsn,
         (select system_identifier::text from pg_control_system()) as system,
         ${STARTED_AT},
         (select id::text from feed_epochs order by number desc limit 1) as epoch`;

/** What a server says about itself. */
export interface ReplicaState {
  readonly isStandby: boolean;
  /** Up to where it has replayed the log. */
  readonly lsn: string | null;
  readonly system: string;
  readonly startedAt: string;
  /** The last epoch in what it has replayed. */
  readonly epoch: string | null;
}

/** What is wrong with a server that has answered, which lags so far; `undefined` if nothing is. */
export function faultOf(
  { isStandby, lsn, system, startedAt, epoch }: ReplicaState,
  primary: PrimaryLog,
  { lagMs, maxLagMs }: { readonly lagMs: number; readonly maxLagMs: number },
): Fault | undefined {
  const { seen, silence } = primary;
  if (seen === undefined) return late(`the primary does not say where it is: ${silence}`);
  if (system !== seen.system) return unfit('it belongs to another cluster');
  if (!isStandby) {
    return startedAt === seen.startedAt
      ? { kind: 'primary', reason: 'it is the primary' }
      : unfit('it is a primary, and not the one of DATABASE_URL');
  }
  // One that does not follow the server which took over never gets its epoch.
  if (epoch !== seen.epoch) return late('it has not seen the last change of the primary');
  const isKnown = lsn !== null && primary.newestIn(BigInt(lsn)) !== undefined;
  return isKnown && lagMs <= maxLagMs ? undefined : late(`it lags ${(lagMs / 1000).toFixed(1)} s or more`);
}

/** What is wrong with a server that has not answered. */
export function silenceOf(error: unknown): Fault {
  return { kind: error instanceof DatabaseUnfit ? 'unfit' : 'gone', reason: (error as Error).message };
}

const late = (reason: string): Fault => ({ kind: 'late', reason });

const unfit = (reason: string): Fault => ({ kind: 'unfit', reason });
