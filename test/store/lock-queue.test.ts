import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { isLockTimeout } from '../../src/database/driver-errors.ts';
import { lockLimits } from '../../src/store/lock-limits.ts';
import { Contended, LockQueue } from '../../src/store/lock-queue.ts';
import { until } from '../support/until.ts';

const LIMITS = {
  connections: 3,
  connectMs: 10_000,
  places: 2,
  stuckMs: 10_000,
  stuck: 4,
  allStuck: 3,
  queuedMs: 10_000,
  sharedMs: 10_000,
  rememberedMs: 10_000,
};

/** What PostgreSQL says where a lock was not available. */
const LOCKED = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' });

/** A unit in a queue, which runs until it is ended. */
interface Held {
  isRunning: boolean;
  /** `done`, or what it was refused with. */
  outcome: unknown;
  end(error?: Error): void;
}

describe('a queue of units that wait for locks', () => {
  /** Units of a queue with these limits, one after the other; all are ended after the test. */
  const units: Held[] = [];
  const queueOf = (limits: Partial<typeof LIMITS> = {}) => {
    const queue = new LockQueue({ ...LIMITS, ...limits });
    const hold = (subject: string): Held => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const held: Held = {
        isRunning: false,
        outcome: undefined,
        end: (error) => (error ? reject(error) : resolve('done')),
      };
      const work = async () => {
        held.isRunning = true;
        return promise.finally(() => {
          held.isRunning = false;
        });
      };
      const settle = (outcome: unknown) => {
        held.outcome = outcome;
      };
      queue.run(subject, work).then(settle, settle);
      units.push(held);
      return held;
    };
    const isContended = (subject: string) => {
      try {
        queue.check(subject);
        return false;
      } catch (error) {
        expect(error).to.be.instanceOf(Contended);
        return true;
      }
    };
    return { hold, isContended, connections: queue.connections };
  };
  const running = (held: readonly Held[]) => held.map(({ isRunning }) => isRunning);
  const refused = (held: readonly Held[]) => held.map(({ outcome }) => isLockTimeout(outcome));

  afterEach(async () => {
    for (const unit of units) unit.end();
    await until('the end of all units', () => units.every(({ outcome }) => outcome !== undefined));
    units.length = 0;
  });

  it('runs the units of a subject one after the other, in their order', async () => {
    const { hold } = queueOf();
    const held = [hold('ada'), hold('ada'), hold('ada')];
    await pause(0);
    for (const [n, unit] of held.entries()) {
      expect(running(held)).to.deep.equal(held.map((_, other) => other === n));
      unit.end(n === 0 ? new Error('any') : undefined);
      await until('its end', () => unit.outcome);
      await pause(0);
    }
    expect(held.map(({ outcome }) => `${outcome}`)).to.deep.equal(['Error: any', 'done', 'done']);
  });

  it('has places for some subjects, and gives those that become free to whoever has waited longest', async () => {
    const { hold } = queueOf();
    const [ada, bob, eve, joe] = [hold('ada'), hold('bob'), hold('eve'), hold('joe')];
    await pause(0);
    expect(running([ada, bob, eve, joe])).to.deep.equal([true, true, false, false]);
    bob.end();
    await until('a place', () => eve.isRunning);
    expect(running([ada, bob, eve, joe])).to.deep.equal([true, false, true, false]);
  });

  it('has fewer places while other work occupies connections, one at least', async () => {
    const { hold, connections } = queueOf();
    const leave = connections.occupy();
    const held = [hold('ada'), hold('bob'), hold('eve')];
    await pause(0);
    expect(running(held)).to.deep.equal([true, false, false]);
    connections.occupy();
    connections.occupy();
    held[0]?.end();
    await until('a place', () => held[1]?.isRunning);
    expect(running(held)).to.deep.equal([false, true, false]);
    leave();
  });

  it('lets any number wait while it goes on', async () => {
    const { hold } = queueOf({ stuckMs: 2_000, places: 1 });
    const held = Array.from({ length: 100 }, (_, n) => hold(n % 2 ? 'ada' : 'bob'));
    for (const unit of held) {
      await until('its turn', () => unit.isRunning);
      unit.end();
    }
    await until('the end', () => held.every(({ outcome }) => outcome !== undefined));
    expect(new Set(held.map(({ outcome }) => outcome))).to.deep.equal(new Set(['done']));
  });

  it('refuses the newest of a subject that is stuck, and those that come, and leaves other subjects alone', async () => {
    const { hold } = queueOf({ stuckMs: 1_000 });
    const held = Array.from({ length: 7 }, () => hold('ada'));
    await until('refusals', () => held.at(-1)?.outcome);
    expect(refused(held)).to.deep.equal([false, false, false, false, false, true, true]);
    const [late, bob] = [hold('ada'), hold('bob')];
    await until('a refusal', () => late.outcome);
    expect(isLockTimeout(late.outcome)).to.equal(true);
    expect(bob.isRunning).to.equal(true);
    held[0]?.end();
    await until('the next of the subject', () => held[1]?.isRunning);
    const again = hold('ada');
    await pause(0);
    expect(again.outcome).to.equal(undefined);
  });

  it('refuses the newest of all subjects where all of its places are stuck', async () => {
    const { hold } = queueOf({ stuckMs: 50 });
    const held = Array.from({ length: 8 }, (_, n) => hold(`account ${n}`));
    await until('refusals', () => held.at(-1)?.outcome);
    expect(running(held).filter(Boolean)).to.have.length(2);
    expect(refused(held)).to.deep.equal([false, false, false, false, false, true, true, true]);
    const late = hold('another account');
    await until('a refusal', () => late.outcome);
    expect(isLockTimeout(late.outcome)).to.equal(true);
  });

  it('takes the next one in a place for stuck where the one before did not get its lock, until one does', async () => {
    const { hold } = queueOf();
    const held = Array.from({ length: 8 }, (_, n) => hold(`account ${n}`));
    await pause(0);
    for (const unit of held.slice(0, 2)) unit.end(LOCKED);
    await until('a refusal', () => held[7]?.outcome);
    expect(running(held)).to.deep.equal([false, false, true, true, false, false, false, false]);
    expect(refused(held).slice(2)).to.deep.equal([false, false, false, false, false, true]);
    held[2]?.end();
    await until('its successor', () => held[4]?.isRunning);
    const more = Array.from({ length: 3 }, (_, n) => hold(`another account ${n}`));
    await pause(0);
    expect(more.map(({ outcome }) => outcome)).to.deep.equal([undefined, undefined, undefined]);
  });

  it('refuses whoever has waited for too long for a place', async () => {
    const { hold } = queueOf({ queuedMs: 50 });
    const [first, second] = [hold('ada'), hold('ada')];
    await until('a refusal', () => second.outcome);
    expect(isLockTimeout(second.outcome)).to.equal(true);
    expect(first.outcome).to.equal(undefined);
    first.end();
  });

  it('refuses those that have waited for the same lock for some time together with the one that did not get it', async () => {
    const { hold } = queueOf({ sharedMs: 100 });
    const [first, second, other] = [hold('ada'), hold('ada'), hold('bob')];
    await pause(120);
    const late = hold('ada');
    first.end(LOCKED);
    await until('a refusal', () => second.outcome);
    expect(second.outcome).to.equal(LOCKED);
    await until('the next one', () => late.isRunning);
    expect(other.isRunning).to.equal(true);
  });

  it('does so for no other error', async () => {
    const { hold } = queueOf({ sharedMs: 0 });
    const [first, second] = [hold('ada'), hold('ada')];
    first.end(new Error('any'));
    await until('the next one', () => second.isRunning);
    expect(first.outcome).to.be.instanceOf(Error);
  });

  it('is contended for a subject while a unit of it runs or waits, and for no other', async () => {
    const { hold, isContended } = queueOf({ places: 1 });
    const [ada, bob] = [hold('ada'), hold('bob')];
    expect(['ada', 'bob', 'eve'].map(isContended)).to.deep.equal([true, true, false]);
    for (const unit of [ada, bob]) unit.end();
    await until('the end', () => bob.outcome);
    expect(['ada', 'bob'].map(isContended)).to.deep.equal([false, false]);
  });

  it('remembers for some time that a lock was not available, unless a unit gets it', async () => {
    const { hold, isContended } = queueOf({ rememberedMs: 1_000 });
    for (const subject of ['ada', 'bob']) hold(subject).end(LOCKED);
    await until('refusals', () => units.every(({ outcome }) => outcome));
    expect(['ada', 'bob'].map(isContended)).to.deep.equal([true, true]);
    const again = hold('ada');
    again.end();
    await until('its end', () => again.outcome);
    expect(isContended('ada')).to.equal(false);
    await until('the end of it', () => !isContended('bob'));
  });
});

describe('the limits of a queue', () => {
  for (const [poolMax, connections, places, stuck, allStuck] of [
    [2, 2, 1, 4, 2],
    [3, 2, 1, 4, 2],
    [10, 8, 5, 16, 8],
    [100, 75, 50, 16, 8],
  ] as const)
    it(`leave connections and requests to others with a pool of ${poolMax}`, () => {
      expect(lockLimits({ poolMax, connectTimeoutMs: 2_000, statementTimeoutMs: 10_000 })).to.deep.include({
        connections,
        places,
        stuck,
        allStuck,
      });
    });

  it('are shorter than a statement may take', () => {
    expect(lockLimits({ poolMax: 10, connectTimeoutMs: 2_000, statementTimeoutMs: 10_000 })).to.deep.include({
      brieflyMs: 50,
      patientlyMs: 1_500,
    });
    expect(lockLimits({ poolMax: 10, connectTimeoutMs: 2_000, statementTimeoutMs: 60 })).to.deep.include({
      brieflyMs: 30,
      patientlyMs: 30,
    });
  });
});
