import type { Finding } from './audit/finding.ts';
import type { Entry } from './ledger.ts';
import type { Phase } from './phases.ts';

/** What became of the requests of a phase. */
export interface Row extends Omit<Phase, 'problems' | 'mayLose' | 'splits' | 'began' | 'ended'> {
  readonly requests: number;
  /** Of the writes. */
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly lost: number;
  readonly doubled: number;
  readonly phantom: number;
}

/** The rows of all phases, in the order in which they happened, and of the load before the first. */
export function rowsOf(
  phases: readonly Phase[],
  entries: readonly Entry[],
  findings: readonly Finding[],
): Row[] {
  const before = {
    name: 'before',
    faultSeconds: 0,
    recoverySeconds: 0,
    recoveries: {},
    connections: Number.NaN,
  };
  const rows = [before, ...phases].map(
    ({ name, faultSeconds, recoverySeconds, recoveries, connections }) => ({
      ...{ name, requests: 0, acknowledged: 0, refused: 0, unknown: 0, lost: 0, doubled: 0, phantom: 0 },
      ...{ faultSeconds, recoverySeconds, recoveries, connections },
    }),
  );
  for (const { phase, action, outcome } of entries) {
    const row = rows[phase];
    if (row === undefined) continue;
    row.requests++;
    if (action !== undefined) row[outcome]++;
  }
  for (const { phase = -1, kind } of findings) {
    const row = rows[phase];
    if (row && (kind === 'lost' || kind === 'doubled' || kind === 'phantom')) row[kind]++;
  }
  return rows;
}

/** The table of a run, in Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const head = `| fault | requests | writes acknowledged | refused | unknown | lost | doubled | phantom | fault, s | recovery, s | connections |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`;
  return [head, ...rows.map(lineOf), lineOf(totalOf(rows))].join('\n');
}

/** The sums of the counts, and the longest recovery. */
function totalOf(rows: readonly Row[]): Row {
  const sum = (count: (row: Row) => number) => rows.reduce((total, row) => total + count(row), 0);
  return {
    name: 'all',
    requests: sum(({ requests }) => requests),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    refused: sum(({ refused }) => refused),
    unknown: sum(({ unknown }) => unknown),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    phantom: sum(({ phantom }) => phantom),
    faultSeconds: sum(({ faultSeconds }) => faultSeconds),
    recoverySeconds: Math.max(...rows.map(({ recoverySeconds }) => recoverySeconds)),
    recoveries: {},
    connections: Number.NaN,
  };
}

function lineOf({ name, faultSeconds, recoverySeconds, connections, ...counts }: Row): string {
  const { requests, acknowledged, refused, unknown, lost, doubled, phantom } = counts;
  const cells = [requests, acknowledged, refused, unknown, lost, doubled, phantom].map(String);
  const times = [faultSeconds, recoverySeconds].map((each) => (Number.isNaN(each) ? '–' : each.toFixed(2)));
  return `| ${[name, ...cells, ...times, Number.isNaN(connections) ? '–' : connections].join(' | ')} |`;
}

/** The most findings that are printed. */
const MAX_SHOWN = 50;

/** The findings, each with its request. */
export function findingsText(findings: readonly Finding[]): string {
  const lines = findings
    .slice(0, MAX_SHOWN)
    .map(
      ({ kind, requestId, detail }) => `${kind}${requestId === undefined ? '' : ` ${requestId}`}: ${detail}`,
    );
  const more = findings.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}
