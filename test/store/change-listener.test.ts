import { expect } from 'chai';
import type { DatabaseSettings } from '../../src/database/connection.ts';
import { changeListener, type ListenerEvents } from '../../src/store/change-listener.ts';
import { addChanges } from '../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

describe('the change listener', () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let notifications: number;
  let events: string[];
  let stop: () => Promise<void>;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    proxy = await startProxy(database.url);
    notifications = 0;
    events = [];
    stop = async () => undefined;
  });

  afterEach(async () => {
    await stop();
    await proxy.close();
    await database.drop();
  });

  const report: ListenerEvents = {
    onLost: () => events.push('lost'),
    onRestored: () => events.push('restored'),
  };
  const start = (mode: 'direct' | 'pooled' = 'direct', more: Partial<DatabaseSettings> = {}) => {
    const listen = changeListener({ ...database, url: proxy.url, ...more }, mode, report);
    stop = listen(() => notifications++).stop;
  };
  const backends = () =>
    database.query<{ pid: number; query: string }>(
      `select pid, query from pg_stat_activity
        where datname = current_database() and application_name = 'rollcall listener'`,
    );
  const listening = () =>
    until('it to listen', async () => (await backends()).find(({ query }) => query.startsWith('listen')));
  /** Resolves after another notification. */
  const notifiedAgain = async (since = notifications) =>
    until('another notification', () => notifications > since);

  it('notifies at once, and then of each commit that is announced, long before it polls', async () => {
    start();
    expect(notifications).to.equal(1);
    await listening();
    await notifiedAgain(1);
    const began = notifications;
    // With polls alone, this would take longer than the test may.
    for (let n = 0; n < 40; n++) {
      const before = notifications;
      await addChanges(database, 1);
      await notifiedAgain(before);
    }
    expect(notifications - began).to.be.at.least(40);
    expect(proxy.statements()).to.be.at.most(3);
  }).timeout(20_000);

  it('notifies every second of what nobody has announced', async () => {
    start();
    await listening();
    for (let n = 0; n < 3; n++) await notifiedAgain();
  });

  it('listens again after its connection is killed, and notifies at once of possibly missed changes', async () => {
    start();
    const { pid } = await listening();
    await notifiedAgain(1);
    await database.query('select pg_terminate_backend($1)', [pid]);
    const next = await until('another connection', async () =>
      (await backends()).find((other) => other.pid !== pid),
    );
    expect(next.pid).to.not.equal(pid);
    await until('the restoration', () => events.includes('restored'));
    expect(events).to.deep.equal(['lost', 'restored']);
    const before = notifications;
    await addChanges(database, 1);
    await notifiedAgain(before);
  });

  it('notifies every second during a database outage, and listens again afterwards', async () => {
    start();
    await listening();
    await proxy.cut();
    await until('the loss', () => events.includes('lost'));
    for (let n = 0; n < 3; n++) await notifiedAgain();
    expect(events).to.deep.equal(['lost']);
    await proxy.mend();
    await until('the restoration', () => events.includes('restored'));
    await listening();
  });

  it('starts during a database outage, and listens when it ends', async () => {
    await proxy.cut();
    start();
    for (let n = 0; n < 2; n++) await notifiedAgain();
    await proxy.mend();
    await listening();
  });

  it('detects a network that has fallen silent', async () => {
    start('direct', { connectTimeoutMs: 500, statementTimeoutMs: 500 });
    await listening();
    proxy.silence();
    await until('the loss', () => events.includes('lost'));
    await proxy.cut();
    await proxy.mend();
    await until('the restoration', () => events.includes('restored'));
  });

  it('notifies every second behind a pooler, and opens no connection', async () => {
    start('pooled');
    for (let n = 0; n < 2; n++) await notifiedAgain();
    expect(await backends()).to.deep.equal([]);
    expect(proxy.statements()).to.equal(0);
  });

  for (const [when, prepare] of [
    ['it listens', listening],
    ['it starts', async () => undefined],
    ['the database is down', () => proxy.cut()],
    ['the network is silent', () => listening().then(() => proxy.silence())],
  ] as const) {
    it(`ends when it is stopped while ${when}, and never notifies again`, async () => {
      start('direct', { connectTimeoutMs: 500 });
      await prepare();
      await stop();
      const before = notifications;
      await addChanges(database, 1);
      if (when !== 'the network is silent')
        await until('its connection to end', async () => (await backends()).length === 0);
      expect(notifications).to.equal(before);
    });
  }
});
