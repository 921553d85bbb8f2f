import { expect } from 'chai';
import { isExcused } from './audit/excuse.ts';
import { auditFeed, nameOf } from './audit/feed.ts';
import type { Kind } from './audit/finding.ts';
import type { Written } from './audit/history.ts';
import { auditVersions } from './audit/versions.ts';
import { auditWrites } from './audit/writes.ts';
import type { Action, Entry, Outcome } from './ledger.ts';
import { pausesOf } from './pauses.ts';
import type { Phase } from './phases.ts';
import { randomOf, shuffled } from './random.ts';

/** A request that was sent and answered at these times. */
const sent = (
  id: string,
  began: number,
  ended: number,
  rest: { action?: Action; version?: number; outcome?: Outcome; key?: string; mark?: string } = {},
): Entry => ({
  id,
  began,
  ended,
  phase: 0,
  replica: 0,
  action: undefined,
  key: undefined,
  mark: id,
  outcome: 'acknowledged',
  status: 200,
  userId: 1,
  ...rest,
});
const write = (id: string, began: number, ended: number, outcome: Outcome = 'acknowledged') =>
  sent(id, began, ended, { action: 'updated', outcome });
const read = (id: string, began: number, ended: number, version: number) =>
  sent(id, began, ended, { version });
const written = (requestId: string, version: number, after = requestId): Written => ({
  id: version,
  requestId,
  userId: 1,
  action: 'updated',
  version,
  after,
});
const kinds = (findings: { kind: string; requestId?: string }[]) =>
  findings.map(({ kind, requestId }) => `${kind} ${requestId}`);

describe('the audit of versions', () => {
  const orderOf = (entries: Entry[], history: Written[]) => kinds(auditVersions(entries, history));

  it('accepts concurrent operations in the order of their versions', () => {
    const entries = [write('a', 0, 10), write('b', 5, 8), read('c', 4, 9, 1), read('d', 9, 12, 2)];
    expect(orderOf(entries, [written('b', 1), written('a', 2)])).to.deep.equal([]);
  });

  it('finds a read of an older version than was acknowledged before', () => {
    const entries = [write('a', 0, 1), write('b', 2, 3), read('c', 4, 5, 1)];
    expect(orderOf(entries, [written('a', 1), written('b', 2)])).to.deep.equal(['order c']);
  });

  it('finds a read that goes back behind another read, whatever is known of the write', () => {
    const entries = [
      write('a', 0, 1),
      write('b', 2, Number.POSITIVE_INFINITY, 'unknown'),
      read('c', 4, 5, 2),
      read('d', 6, 7, 1),
    ];
    expect(orderOf(entries, [written('a', 1), written('b', 2)])).to.deep.equal(['order d']);
  });

  it('finds a write with a lower version than one that was acknowledged before', () => {
    expect(orderOf([write('a', 0, 1), write('b', 2, 3)], [written('b', 1), written('a', 2)])).to.deep.equal([
      'order b',
    ]);
  });

  it('finds a read from the future', () => {
    expect(orderOf([read('c', 0, 1, 1), write('a', 2, 3)], [written('a', 1)])).to.deep.equal(['order a']);
  });

  it('finds a version that was written twice', () => {
    const found = auditVersions([write('a', 0, 1), write('b', 0, 1)], [written('a', 1), written('b', 1)]);
    expect(found.map(({ kind }) => kind)).to.deep.equal(['doubled']);
  });
});

describe('the audit of writes', () => {
  const found = (entries: Entry[], history: Written[]) => kinds(auditWrites(entries, history));

  it('accepts what is there as it was acknowledged, and unknown writes in either case', () => {
    const entries = [
      write('a', 0, 1),
      write('b', 0, 1, 'unknown'),
      write('c', 0, 1, 'unknown'),
      write('d', 0, 1, 'refused'),
    ];
    expect(found(entries, [written('a', 1), written('b', 2)])).to.deep.equal([]);
  });

  it('finds other values than were sent, and what a read or nobody has written', () => {
    const entries = [write('a', 0, 1), read('b', 0, 1, 1)];
    const history = [written('a', 1, 'something else'), written('b', 2), written('z', 3)];
    expect(found(entries, history)).to.deep.equal(['wrong a', 'phantom b', 'phantom z']);
  });
});

describe('the audit of requests under one key', () => {
  const attempt = (id: string, began: number, ended: number, outcome: Outcome) =>
    sent(id, began, ended, { action: 'updated', outcome, key: 'a', mark: 'a' });
  const unheard = attempt('a', 0, Number.POSITIVE_INFINITY, 'unknown');
  const repeated = attempt('b', 2, 3, 'acknowledged');

  it('accepts one write, whichever of them did it', () => {
    expect(auditWrites([unheard, repeated], [written('a', 1)])).to.deep.equal([]);
    expect(auditWrites([unheard, repeated], [written('b', 1, 'a')])).to.deep.equal([]);
    expect(auditWrites([unheard], [])).to.deep.equal([]);
  });

  it('finds that none did it, or both', () => {
    expect(kinds(auditWrites([unheard, repeated], []))).to.deep.equal(['lost b']);
    const both = [written('a', 1), written('b', 2, 'a')];
    expect(kinds(auditWrites([unheard, repeated], both))).to.deep.equal(['doubled b']);
  });

  it('takes the answer to any of them for the end of the write', () => {
    const late = read('c', 4, 5, 0);
    expect(kinds(auditVersions([unheard, repeated, late], [written('a', 1)]))).to.deep.equal(['order c']);
  });
});

describe('the audit of the feed', () => {
  it('finds what is missing, doubled, out of order or more', () => {
    const feed = ['1', '2', '3'];
    expect(auditFeed('f', feed, feed)).to.deep.equal([]);
    for (const got of ['13', '1223', '213', '12', '1234', ''])
      expect(auditFeed('f', got.split(''), feed), got).to.have.length(1);
  });

  it('finds an entry that was lost in a failover, and whose id another one has got', () => {
    const entry = (requestId: string) => nameOf({ id: 1, requestId });
    expect(auditFeed('f', [entry('lost')], [entry('kept')])).to.have.length(1);
  });
});

describe('what a cluster does not promise', () => {
  const phase = (of: Partial<Phase>): Phase => ({
    ...{
      name: 'fault',
      mayLose: false,
      splits: false,
      began: 0,
      ended: 0,
      faultSeconds: 0,
      recoverySeconds: 0,
    },
    ...{ recoveries: {}, connections: 0, problems: [] },
    ...of,
  });
  /** Whether a finding of each phase is excused: before the first, and in the three. */
  const excused = (kind: Kind, replicas: number[], of: Partial<Phase>, isAsynchronous = true) =>
    [0, 1, 2, 3].map((at) =>
      isExcused({ kind, phase: at, replicas, detail: '' }, [phase({}), phase(of), phase({})], {
        isAsynchronous,
        unfenced: 1,
      }),
    );

  it('excuses a loss by an asynchronous failover in its own phase, and versions that go back from then on', () => {
    expect(excused('lost', [0], { mayLose: true })).to.deep.equal([false, false, true, false]);
    expect(excused('order', [0, 2], { mayLose: true })).to.deep.equal([false, false, true, true]);
    expect(excused('lost', [0], { mayLose: true }, false)).to.deep.equal([false, false, false, false]);
  });

  it('excuses what the replica without HAProxy does at the wrong one of two servers, and no other replica', () => {
    expect(excused('lost', [1], { splits: true }, false)).to.deep.equal([false, false, true, false]);
    expect(excused('order', [0, 1], { splits: true }, false)).to.deep.equal([false, false, true, true]);
    for (const kind of ['lost', 'order'] as const)
      expect(excused(kind, [0, 2], { splits: true }), kind).to.deep.equal([false, false, false, false]);
  });

  it('excuses nothing else', () => {
    for (const kind of ['doubled', 'phantom', 'wrong', 'replay', 'feed', 'connections', 'problem'] as const)
      expect(excused(kind, [1], { mayLose: true, splits: true }), kind).to.not.include(true);
  });
});

describe('the pauses of a run', () => {
  it('are the longest times without an acknowledged write in each phase, of each replica', () => {
    const at = (replica: number, ended: number): Entry => ({
      ...write(`${replica}.${ended}`, ended - 1, ended),
      replica,
    });
    const entries = [
      ...[at(0, 1_000), at(0, 2_000), at(0, 9_000), at(0, 9_500)],
      ...[at(1, 1_000), at(1, 12_000)],
      { ...at(1, 5_000), outcome: 'unknown' as const },
      read('r', 6_000, 7_000, 1),
    ];
    const phases = [
      { began: 0, ended: 10_000 },
      { began: 10_000, ended: 13_000 },
    ];
    expect(pausesOf(entries, phases, 2)).to.deep.equal([
      [7, 9],
      [3, 2],
    ]);
  });
});

describe('the schedule', () => {
  it('is the same for the same seed, and another one for another', () => {
    const faults = Array.from({ length: 20 }, (_, n) => n);
    const order = (seed: number) => shuffled(randomOf(seed), faults);
    expect(order(1)).to.deep.equal(order(1));
    expect(order(1)).to.not.deep.equal(order(2));
    expect(order(1).toSorted((a, b) => a - b)).to.deep.equal(faults);
  });
});
