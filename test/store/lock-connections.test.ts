import { expect } from 'chai';
import { isCrowded, isLockTimeout } from '../../src/database/driver-errors.ts';
import { type Leave, LockConnections } from '../../src/store/lock-connections.ts';
import { until } from '../support/until.ts';

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
    for (const name of names)
      connections.take(name.startsWith('placed')).then(
        (leave) => answers.set(name, leave),
        (error) => answers.set(name, error),
      );
    await turn();
  };
  const leave = async (name: string) => {
    const leave = answers.get(name);
    expect(leave, name).to.be.a('function');
    answers.delete(name);
    (leave as Leave)();
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
    await take('ada', 'bob', 'eve', 'joe', 'kim', 'placed 1', 'placed 2', 'placed 3');
    expect(answered()).to.deep.equal(['ada', 'bob']);
    isStuck = true;
    connections.refuseExcess();
    await turn();
    expect(refused(isLockTimeout)).to.deep.equal(['kim']);
    await take('late');
    expect(refused(isLockTimeout)).to.deep.equal(['kim', 'late']);
    isStuck = false;
    await take('later');
    for (const name of ['ada', 'bob', 'placed 1', 'placed 2', 'placed 3', 'eve', 'joe', 'later'])
      await leave(name);
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
