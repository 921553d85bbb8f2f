import { expect } from 'chai';
import { auditFeed } from './audit/feed.ts';
import type { Written } from './audit/history.ts';
import { auditVersions } from './audit/versions.ts';
import { auditWrites } from './audit/writes.ts';
import type { Action, Entry, Outcome } from './ledger.ts';
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
    expect(auditFeed('f', [1, 2, 3], [1, 2, 3])).to.deep.equal([]);
    for (const got of [[1, 3], [1, 2, 2, 3], [2, 1, 3], [1, 2], [1, 2, 3, 4], []])
      expect(auditFeed('f', got, [1, 2, 3]), `${got}`).to.have.length(1);
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
