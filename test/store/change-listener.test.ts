import { expect } from 'chai';
import type { DatabaseSettings } from '../../src/database/connection.ts';
import { changeListener, type ListenerEvents } from '../../src/store/change-listener.ts';
import { addChanges } from '../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { eventually } from '../support/waiting.ts';

describe('the listener for changes', () => {
  let database: TestDatabase;
  let wire: DatabaseProxy;
  let told: number;
  let events: string[];
  let stop: () => Promise<void>;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    told = 0;
    events = [];
    stop = async () => undefined;
  });

  afterEach(async () => {
    await stop();
    await wire.close();
    await database.drop();
  });

  const report: ListenerEvents = {
    onLost: () => events.push('lost'),
    onRestored: () => events.push('restored'),
  };
  const start = (passage: 'direct' | 'pooled' = 'direct', more: Partial<DatabaseSettings> = {}) => {
    const listen = changeListener({ ...database, url: wire.url, ...more }, passage, report);
    stop = listen(() => told++).stop;
  };
  const backends = () =>
    database.query<{ pid: number; query: string }>(
      `select pid, query from pg_stat_activity
        where datname = current_database() and application_name = 'rollcall listener'`,
    );
  const listening = () =>
    eventually(async () => (await backends()).find(({ query }) => query.startsWith('listen')));
  /** Resolves when it has been told once more. */
  const toldAgain = async (since = told) => eventually(() => (told > since ? true : undefined));

  it('tells at once, and of each commit, whoever made it', async () => {
    start();
    expect(told).to.equal(1);
    await listening();
    await toldAgain(1);
    for (let n = 0; n < 3; n++) {
      const before = told;
      await addChanges(database, 5);
      await toldAgain(before);
      expect(told).to.equal(before + 1);
    }
    expect(wire.statements()).to.equal(1);
  });

  it('tells nothing of what is rolled back', async () => {
    start();
    await listening();
    await toldAgain(1);
    await database.query('begin; notify rollcall_changes; rollback');
    await addChanges(database, 1);
    await toldAgain(2);
    expect(told).to.equal(3);
  });

  it('listens again when its connection is killed, and tells at once what may have come meanwhile', async () => {
    start();
    const { pid } = await listening();
    await toldAgain(1);
    await database.query('select pg_terminate_backend($1)', [pid]);
    const next = await eventually(async () => (await backends()).find((other) => other.pid !== pid));
    expect(next.pid).to.not.equal(pid);
    await eventually(() => events.includes('restored') || undefined);
    expect(events).to.deep.equal(['lost', 'restored']);
    const before = told;
    await addChanges(database, 1);
    await toldAgain(before);
  });

  it('tells every second while the database is gone, and listens again when it is back', async () => {
    start();
    await listening();
    await wire.cut();
    await eventually(() => events.includes('lost') || undefined);
    for (let n = 0; n < 3; n++) await toldAgain();
    expect(events).to.deep.equal(['lost']);
    await wire.mend();
    await eventually(() => events.includes('restored') || undefined);
    await listening();
  });

  it('begins where there is no database, and listens when there is one', async () => {
    await wire.cut();
    start();
    for (let n = 0; n < 2; n++) await toldAgain();
    await wire.mend();
    await listening();
  });

  it('finds out that the network has fallen silent', async () => {
    start('direct', { connectTimeoutMs: 500, statementTimeoutMs: 500 });
    await listening();
    wire.silence();
    await eventually(() => events.includes('lost') || undefined);
    await wire.cut();
    await wire.mend();
    await eventually(() => events.includes('restored') || undefined);
  });

  it('asks every second behind a pooler, and opens no connection', async () => {
    start('pooled');
    for (let n = 0; n < 2; n++) await toldAgain();
    expect(await backends()).to.deep.equal([]);
    expect(wire.statements()).to.equal(0);
  });

  for (const [when, prepare] of [
    ['it listens', listening],
    ['it has just begun', async () => undefined],
    ['the database is gone', () => wire.cut()],
    ['the network is silent', () => listening().then(() => wire.silence())],
  ] as const) {
    it(`ends when it is stopped while ${when}, and tells nothing any more`, async () => {
      start('direct', { connectTimeoutMs: 500 });
      await prepare();
      await stop();
      const before = told;
      await addChanges(database, 1);
      if (when !== 'the network is silent')
        await eventually(async () => ((await backends()).length === 0 ? true : undefined));
      expect(told).to.equal(before);
    });
  }
});
