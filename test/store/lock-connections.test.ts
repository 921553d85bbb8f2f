import { expect } from 'chai';
import { isLockTimeout } from '../../src/database/driver-errors.ts';
import { type Leave, LockConnections } from '../../src/store/lock-connections.ts';

describe('the connections on which writes may wait for locks', () => {
  let isStuck: boolean;
  let connections: LockConnections;
  /** Who has a connection, and how to give it back; whoever was refused has `undefined`. */
  let holders: Map<string, Leave | undefined>;

  beforeEach(() => {
    isStuck = false;
    connections = new LockConnections({ connections: 2, allStuck: 2 }, () => isStuck);
    holders = new Map();
  });

  const take = async (...names: string[]) => {
    for (const name of names)
      connections.take(name.startsWith('placed')).then(
        (leave) => holders.set(name, leave),
        (error) => {
          expect(isLockTimeout(error)).to.equal(true);
          holders.set(name, undefined);
        },
      );
    await turn();
  };
  const leave = async (name: string) => {
    holders.get(name)?.();
    holders.delete(name);
    await turn();
  };
  const turn = () => new Promise(setImmediate);

  it('are a few, first come, first served', async () => {
    await take('ada', 'bob', 'eve', 'joe');
    expect([...holders.keys()]).to.deep.equal(['ada', 'bob']);
    await leave('bob');
    expect([...holders.keys()]).to.deep.equal(['ada', 'eve']);
    await leave('ada');
    await leave('eve');
    expect([...holders.keys()]).to.deep.equal(['joe']);
    await leave('joe');
    await take('kim', 'lea', 'max');
    expect([...holders.keys()]).to.deep.equal(['kim', 'lea']);
  });

  it('are given first to whoever has a place in the queue', async () => {
    await take('ada', 'bob', 'eve', 'placed');
    await leave('ada');
    expect([...holders.keys()]).to.deep.equal(['bob', 'placed']);
    await leave('placed');
    expect([...holders.keys()]).to.deep.equal(['bob', 'eve']);
  });

  it('are awaited by any number, and by few where they are stuck; never is one with a place refused', async () => {
    await take('ada', 'bob', 'eve', 'joe', 'kim', 'placed 1', 'placed 2', 'placed 3');
    expect([...holders.keys()]).to.deep.equal(['ada', 'bob']);
    isStuck = true;
    connections.refuseExcess();
    await turn();
    expect([...holders])
      .to.deep.include(['kim', undefined])
      .and.have.length(3);
    await take('late');
    expect([...holders])
      .to.deep.include(['late', undefined])
      .and.have.length(4);
    isStuck = false;
    await take('later');
    for (const name of ['ada', 'bob', 'placed 1', 'placed 2', 'placed 3', 'eve', 'joe']) {
      expect(holders.get(name), name).to.be.a('function');
      await leave(name);
    }
    expect(holders.get('later')).to.be.a('function');
  });
});
