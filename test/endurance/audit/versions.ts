import type { Entry } from '../ledger.ts';
import type { Finding } from './finding.ts';
import type { Written } from './history.ts';

/** A write or a read of an account at a version. */
interface Operation {
  readonly entry: Pick<Entry, 'id' | 'phase' | 'replica' | 'began' | 'ended'>;
  /** Its place among the operations on the account: a version, and half of one more for a read of it. */
  readonly place: number;
}

/**
 * Checks that the versions of each account are linearizable: all operations on it could have happened one after the other, each
 * at a moment between its sending and its answer. The versions tell the order, in which no operation may come after one that
 * was sent only once it had been answered. So no search is needed, as a checker of arbitrary histories does. Also checks that
 * each version was written once.
 */
export function auditVersions(entries: readonly Entry[], history: readonly Written[]): Finding[] {
  const findings: Finding[] = [];
  const accounts = new Map<number, Operation[]>();
  const add = (userId: number, operation: Operation) => {
    const found = accounts.get(userId);
    if (found) found.push(operation);
    else accounts.set(userId, [operation]);
  };
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  /** By key, when the first answer came to any of the requests with it. */
  const answers = new Map<string, number>();
  for (const { key, outcome, ended } of entries) {
    if (key !== undefined && outcome === 'acknowledged')
      answers.set(key, Math.min(ended, answers.get(key) ?? Number.POSITIVE_INFINITY));
  }
  const versions = new Set<string>();
  for (const { id, requestId, userId, version } of history) {
    const name = `${userId} ${version}`;
    if (versions.has(name))
      findings.push({
        kind: 'doubled',
        detail: `version ${version} of account ${userId} once more in entry ${id}`,
      });
    versions.add(name);
    const entry = byId.get(requestId ?? '');
    if (entry === undefined) continue;
    const ended = Math.min(entry.ended, answers.get(entry.key ?? '') ?? Number.POSITIVE_INFINITY);
    add(userId, { entry: { ...entry, ended }, place: version });
  }
  for (const entry of entries) {
    const { action, outcome, userId, version } = entry;
    if (action !== undefined || outcome !== 'acknowledged' || userId === undefined || version === undefined)
      continue;
    add(userId, { entry, place: version + 0.5 });
  }
  for (const [userId, operations] of accounts) findings.push(...contradictions(userId, operations));
  return findings;
}

function contradictions(userId: number, operations: Operation[]): Finding[] {
  const findings: Finding[] = [];
  operations.sort((a, b) => a.place - b.place);
  /** Of the operations before, the one that was sent last; reads of one version are in no order. */
  let latest: Operation | undefined;
  let waiting: Operation[] = [];
  for (const operation of operations) {
    if (waiting[0] !== undefined && waiting[0].place < operation.place) {
      for (const each of waiting)
        if (latest === undefined || each.entry.began > latest.entry.began) latest = each;
      waiting = [];
    }
    waiting.push(operation);
    if (latest === undefined || operation.entry.ended >= latest.entry.began) continue;
    const { entry, place } = operation;
    findings.push({
      kind: 'order',
      phase: latest.entry.phase,
      replicas: [latest.entry.replica, entry.replica],
      requestId: latest.entry.id,
      detail: `account ${userId}: ${told(latest.place)}, but was sent after the answer to ${entry.id}, which ${told(place)}`,
    });
  }
  return findings;
}

function told(place: number): string {
  return Number.isInteger(place) ? `wrote version ${place}` : `read version ${Math.floor(place)}`;
}
