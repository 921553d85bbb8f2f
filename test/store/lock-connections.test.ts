import { expect } from 'chai';
import { isCrowded, isLockTimeout } from '../../src/database/driver-errors.ts';
import { type Leave, LockConnections } from '../../src/store/lock-connections.ts';
import { until } from '../support/until.ts';

const LOCKED = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' });

describe('the connections on which writes may wait for locks', () => {
  let isStuck: boolean;
  let connections: LockConnections;
  /** Who has a connection, and how to give it back; or with what they were refused. */
  let answers: Map<string, Leave | Error>;

  beforeEach(() => {
    isStuck = false;
    connections = new LockConnections({ connections: 2, connectMs: 1_000, allStuck: 2 }, () => isStuck);
    answers = new Map();
  });

  const take = async (...names: string[]) => {
    const own = answers;
    for (const name of names)
      connections.take(name.startsWith('placed')).then(
        (leave) => own.set(name, leave),
        (error) => own.set(name, error),
      );
    await turn();
  };
  const leave = async (name: string, error?: unknown) => {
    const leave = answers.get(name);
    expect(leave, name).to.be.a('function');
    answers.delete(name);
    (leave as Leave)(error);
    await turn();
  };
  const turn = () => new Promise(setImmediate);
  const answered = () => [...answers.keys()];
  const refused = (isExpected: (error: unknown) => boolean) =>
    answered().filter((name) => isExpected(answers.get(name)));

  it('are a few, first come, first served', async () => {
    await take('ada', 'bob', 'eve', 'joe');
    expect(answered()).to.deep.equal(['ada', 'bob']);
    await leave('bob');
    expect(answered()).to.deep.equal(['ada', 'eve']);
    await leave('ada');
    await leave('eve');
    await leave('joe');
    await take('kim', 'lea', 'max');
    expect(answered()).to.deep.equal(['kim', 'lea']);
    await leave('kim');
    await leave('max');
  });

  it('are given first to whoever has a place in the queue', async () => {
    await take('ada', 'bob', 'eve', 'placed');
    await leave('ada');
    expect(answered()).to.deep.equal(['bob', 'placed']);
    await leave('placed');
    expect(answered()).to.deep.equal(['bob', 'eve']);
  });

  it('are awaited by any number, and by few where they are stuck; nobody with a place is refused', async () => {
    await take('ada', 'bob', 'eve', 'joe', 'kim', 'lea', 'placed 1', 'placed 2', 'placed 3');
    isStuck = true;
    await leave('ada', LOCKED);
    await take('max');
    expect(refused(isLockTimeout)).to.deep.equal([]);
    await leave('bob', LOCKED);
    expect(refused(isLockTimeout)).to.deep.equal(['kim', 'lea', 'max']);
    await take('late');
    expect(refused(isLockTimeout)).to.deep.equal(['kim', 'lea', 'max', 'late']);
    isStuck = false;
    await take('later');
    for (const name of ['placed 1', 'placed 2', 'placed 3', 'eve', 'joe', 'later']) await leave(name);
  });

  it('are awaited by any number where writes get their locks beside those that are stuck', async () => {
    await take('ada', 'bob', 'eve', 'joe', 'kim', 'lea', 'max');
    isStuck = true;
    for (const name of ['ada', 'eve']) await leave(name, LOCKED);
    expect(refused(isLockTimeout)).to.deep.equal(['max']);
    await leave('bob');
    await take('ned', 'ole', 'pia');
    for (const name of ['joe', 'kim', 'lea', 'ned', 'ole', 'pia']) await leave(name);
  });

  it('are fewer by those that other work occupies, one at least', async () => {
    const others = Array.from({ length: 3 }, () => connections.occupy());
    expect(connections.share).to.equal(1);
    await take('ada', 'bob', 'eve', 'joe');
    expect(answered()).to.deep.equal(['ada']);
    others[0]?.();
    others[1]?.();
    await turn();
    expect(connections.share).to.equal(1);
    expect(answered()).to.deep.equal(['ada']);
    others[2]?.();
    await turn();
    expect(answered()).to.deep.equal(['ada', 'bob']);
    connections.occupy();
    await leave('ada');
    expect(answered()).to.deep.equal(['bob']);
    await leave('bob');
    expect(answered()).to.deep.equal(['eve']);
  });

  it('are awaited as long as those of the pool', async () => {
    await take('ada', 'bob', 'eve', 'placed');
    await until('refusals', () => refused(isCrowded).length === 2);
    expect(refused(isCrowded)).to.have.members(['eve', 'placed']);
    await take('joe');
    await leave('ada');
    await leave('joe');
  });
});
