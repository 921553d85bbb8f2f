import type { Finding, Kind } from './audit/finding.ts';
import type { Entry } from './ledger.ts';
import type { Phase } from './phases.ts';

/** What became of the requests of a phase. */
export interface Row extends Omit<Phase, 'problems'> {
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
  const none = { faultSeconds: 0, recoverySeconds: 0, recoveries: {}, connections: Number.NaN };
  const all = [{ name: 'before', ...none }, ...phases];
  return all.map(({ name, faultSeconds, recoverySeconds, recoveries, connections }, phase) => {
    const own = entries.filter((entry) => entry.phase === phase);
    const writes = (outcome: Entry['outcome']) =>
      own.filter((entry) => entry.action !== undefined && entry.outcome === outcome).length;
    const found = (kind: Kind) =>
      findings.filter((finding) => finding.phase === phase && finding.kind === kind).length;
    return {
      name,
      requests: own.length,
      acknowledged: writes('acknowledged'),
      refused: writes('refused'),
      unknown: writes('unknown'),
      lost: found('lost'),
      doubled: found('doubled'),
      phantom: found('phantom'),
      faultSeconds,
      recoverySeconds,
      recoveries,
      connections,
    };
  });
}

/** The table of a run, in Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const head = `| fault | requests | writes acknowledged | refused | unknown | lost | doubled | phantom | fault, s | recovery, s | connections |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`;
  return [head, ...rows.map(lineOf)].join('\n');
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
