import type { Entry } from './ledger.ts';
import type { Phase } from './phases.ts';

/** When a phase began and ended. */
type Span = Pick<Phase, 'began' | 'ended'>;

/** By phase and replica, the longest time in which the replica has acknowledged no write, in seconds. */
export function pausesOf(entries: readonly Entry[], phases: readonly Span[], replicas: number): number[][] {
  const times = Array.from({ length: replicas }, (_, replica) =>
    entries
      .filter((each) => each.replica === replica && each.action && each.outcome === 'acknowledged')
      .map(({ ended }) => ended)
      .sort((a, b) => a - b),
  );
  return phases.map((phase) => times.map((all) => longestIn(phase, all) / 1_000));
}

function longestIn({ began, ended }: Span, times: readonly number[]): number {
  const within = [began, ...times.filter((time) => time > began && time < ended), ended];
  return Math.max(...within.slice(1).map((time, n) => time - (within[n] ?? 0)));
}

/** These of a run, as a table in Markdown. */
export function pausesTable(
  entries: readonly Entry[],
  phases: readonly Phase[],
  replicas: readonly string[],
): string {
  const rows = pausesOf(entries, phases, replicas.length);
  const cells = (row: readonly number[]) => row.map((seconds) => seconds.toFixed(1)).join(' | ');
  return [
    `| longest time without an acknowledged write, s | ${replicas.join(' | ')} |`,
    `| --- | ${replicas.map(() => '---:').join(' | ')} |`,
    ...phases.map(({ name }, n) => `| ${name} | ${cells(rows[n] ?? [])} |`),
  ].join('\n');
}
