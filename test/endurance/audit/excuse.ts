import type { Phase } from '../phases.ts';
import type { Finding } from './finding.ts';

/** What a cluster does not promise. */
export interface Promises {
  /** Whether no commit waits for a standby. */
  readonly isAsynchronous: boolean;
  /** The number of the replica that reaches PostgreSQL past HAProxy. */
  readonly unfenced: number;
}

/**
 * Whether what a cluster does not promise explains a finding. An asynchronous failover loses writes that were acknowledged just
 * before. While two servers accept writes, a replica without HAProxy may be at the wrong one: what it acknowledges is lost, and what it
 * reads is old. After either, versions of accounts go back. Nothing else is excused, and nothing in other phases.
 */
export function isExcused(
  { kind, phase = 0, replicas = [] }: Finding,
  phases: readonly Phase[],
  { isAsynchronous, unfenced }: Promises,
): boolean {
  const explains = ({ mayLose, splits }: Phase, isAtWrongServer: boolean) =>
    (mayLose && isAsynchronous) || (splits && isAtWrongServer);
  const here = phases[phase - 1];
  if (kind === 'lost' && here !== undefined)
    return explains(
      here,
      replicas.every((each) => each === unfenced),
    );
  return (
    kind === 'order' && phases.slice(0, phase).some((each) => explains(each, replicas.includes(unfenced)))
  );
}
