import type { Entry } from '../ledger.ts';
import type { Finding, Kind } from './finding.ts';
import type { Written } from './history.ts';

/**
 * Compares the ledger with the history: each acknowledged write is there exactly once, with its account, version and values;
 * nothing refused or only read is there; what nobody knows is there at most once; and nothing else is there. Requests under one
 * key are one write, whichever of them has done it.
 */
export function auditWrites(entries: readonly Entry[], history: readonly Written[]): Finding[] {
  const findings: Finding[] = [];
  const written = new Map<string, Written[]>();
  for (const each of history) {
    // What a start seeds has no request.
    if (each.requestId === null) continue;
    written.set(each.requestId, [...(written.get(each.requestId) ?? []), each]);
  }
  for (const attempts of writesOf(entries)) {
    const tell = (kind: Kind, { id, phase, replica }: Entry, detail: string) =>
      findings.push({ kind, phase, replicas: [replica], requestId: id, detail });
    const found: Written[] = [];
    for (const entry of attempts) {
      const [one, ...more] = written.get(entry.id) ?? [];
      written.delete(entry.id);
      if (one === undefined) continue;
      if (entry.action !== undefined && entry.outcome !== 'refused') found.push(one, ...more);
      else {
        const what = entry.action ? `refused with ${entry.status}` : 'a read';
        tell('phantom', entry, `${what}, but written as entry ${one.id}`);
      }
    }
    const [one, ...more] = found;
    const acknowledged = attempts.filter(({ action, outcome }) => action && outcome === 'acknowledged');
    const [first = attempts[0] as Entry] = acknowledged;
    if (more.length > 0) tell('doubled', first, `written ${found.length} times`);
    else
      for (const entry of acknowledged) {
        if (one === undefined)
          tell('lost', entry, `acknowledged with ${entry.status}, but not in the history`);
        else {
          const difference = differenceOf(entry, one);
          if (difference) tell('wrong', entry, difference);
        }
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

/** The requests, each with those that have repeated it under its key. */
function writesOf(entries: readonly Entry[]): Iterable<Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const entry of entries) {
    const name = entry.key ?? entry.id;
    const attempts = found.get(name);
    if (attempts) attempts.push(entry);
    else found.set(name, [entry]);
  }
  return found.values();
}

function differenceOf({ mark, action, userId, version }: Entry, one: Written): string | undefined {
  if (one.action !== action) return `${action} was asked for, and entry ${one.id} is ${one.action}`;
  if (mark !== undefined && !one.after.includes(mark))
    return `entry ${one.id} has not the values that were sent`;
  if (userId !== undefined && one.userId !== userId)
    return `account ${userId} in the answer, ${one.userId} in the history`;
  if (version !== undefined && one.version !== version)
    return `version ${version} in the answer, ${one.version} in the history`;
  return undefined;
}
