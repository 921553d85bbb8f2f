import type { Entry } from '../ledger.ts';
import type { Finding, Kind } from './finding.ts';
import type { Written } from './history.ts';

/**
 * Compares the ledger with the history: each acknowledged write is there exactly once, with its account, version and values;
 * nothing refused or only read is there; what nobody knows is there at most once; and nothing else is there.
 */
export function auditWrites(entries: readonly Entry[], history: readonly Written[]): Finding[] {
  const findings: Finding[] = [];
  const written = new Map<string, Written[]>();
  for (const each of history) {
    // What a start seeds has no request.
    if (each.requestId === null) continue;
    written.set(each.requestId, [...(written.get(each.requestId) ?? []), each]);
  }
  for (const entry of entries) {
    const found = written.get(entry.id) ?? [];
    written.delete(entry.id);
    const tell = (kind: Kind, detail: string) =>
      findings.push({ kind, phase: entry.phase, requestId: entry.id, detail });
    const [one] = found;
    if (entry.action === undefined || entry.outcome === 'refused') {
      const what = entry.action ? `refused with ${entry.status}` : 'a read';
      if (one) tell('phantom', `${what}, but written as entry ${one.id}`);
    } else if (found.length > 1) {
      tell('doubled', `written ${found.length} times`);
    } else if (one === undefined) {
      if (entry.outcome === 'acknowledged')
        tell('lost', `acknowledged with ${entry.status}, but not in the history`);
    } else {
      const difference = differenceOf(entry, one);
      if (difference) tell('wrong', difference);
    }
  }
  for (const [requestId, [one]] of written) {
    findings.push({
      kind: 'phantom',
      requestId,
      detail: `nobody has sent what entry ${one?.id} has written`,
    });
  }
  return findings;
}

function differenceOf({ id, action, isMarked, userId, version }: Entry, one: Written): string | undefined {
  if (one.action !== action) return `${action} was asked for, and entry ${one.id} is ${one.action}`;
  if (isMarked && !one.after.includes(id)) return `entry ${one.id} has not the values that were sent`;
  if (userId !== undefined && one.userId !== userId)
    return `account ${userId} in the answer, ${one.userId} in the history`;
  if (version !== undefined && one.version !== version)
    return `version ${version} in the answer, ${one.version} in the history`;
  return undefined;
}
