import { setTimeout as pause } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../../mikro-orm.config.ts';
import type { ConnectionMode } from '../../../src/database/connection.ts';
import { ChangeFeed } from '../../../src/services/feed/change-feed.ts';
import { changeListener } from '../../../src/store/change-listener.ts';
import { feedEnd } from '../../../src/store/feed-page.ts';
import { FEED_START, type FeedEntry, type FeedPosition } from '../../../src/store/feed-position.ts';
import { addChanges } from '../../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { type DatabaseProxy, startProxy } from '../../support/proxy.ts';
import { eventually } from '../../support/waiting.ts';
import { writeAtRandom } from '../../support/writers.ts';

describe('the change feed', () => {
  let database: TestDatabase;
  /** The way by which the feed is read; what the tests write goes another. */
  let wire: DatabaseProxy;
  let orm: MikroORM;
  let writing: MikroORM;
  let feed: ChangeFeed;
  let over: AbortController;
  let errors: unknown[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    orm = await MikroORM.init(ormOptions({ ...database, url: wire.url }));
    writing = await MikroORM.init(ormOptions({ ...database, poolMax: 30 }));
    over = new AbortController();
    errors = [];
    start();
  });

  afterEach(async () => {
    over.abort();
    await feed.close();
    await orm.close(true);
    await writing.close(true);
    await wire.close();
    await database.drop();
  });

  const start = (passage: ConnectionMode = 'direct', lingerMs = 0) => {
    feed = new ChangeFeed({
      em: orm.em.fork(),
      listen: changeListener({ ...database, url: wire.url }, passage, {
        onLost: () => undefined,
        onRestored: () => undefined,
      }),
      onError: (error) => errors.push(error),
      lingerMs,
    });
  };
  const follow = (after: FeedPosition, limit = 100) => feed.follow(after, { limit, signal: over.signal });
  /** Takes entries until there are so many. */
  const take = async (entries: AsyncIterator<readonly FeedEntry[]>, count: number): Promise<number[]> => {
    const ids: number[] = [];
    while (ids.length < count) {
      const { value, done } = await entries.next();
      if (done) break;
      ids.push(...(value as readonly FeedEntry[]).map(({ change }) => change.id));
    }
    return ids;
  };
  const idsFrom = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n);
  const listeners = async () =>
    (
      await database.query(
        `select from pg_stat_activity where datname = current_database() and application_name = 'rollcall listener'
            and query like 'listen%'`,
      )
    ).length;
  const listening = () => eventually(async () => ((await listeners()) === 1 ? true : undefined));

  it('asks nothing and listens for nothing while nobody follows', async () => {
    await orm.em.fork().execute('select 1');
    wire.reset();
    for (let n = 0; n < 5; n++) await addChanges(database, 1);
    expect([wire.statements(), await listeners()]).to.deep.equal([0, 0]);
    const entries = follow(FEED_START);
    await take(entries, 5);
    await listening();
    await entries.return(undefined);
    await eventually(async () => ((await listeners()) === 0 ? true : undefined));
    wire.reset();
    await addChanges(database, 1);
    expect(wire.statements()).to.equal(0);
  });

  it('gives what was, then what comes, each once, without a gap between the two', async () => {
    await addChanges(database, 250);
    const entries = follow(FEED_START, 100);
    expect(await take(entries, 250)).to.deep.equal(idsFrom(1, 250));
    await addChanges(database, 3);
    expect(await take(entries, 3)).to.deep.equal(idsFrom(251, 3));
    const late = follow(FEED_START, 100);
    expect(await take(late, 253)).to.deep.equal(idsFrom(1, 253));
    await addChanges(database, 1);
    expect([await take(entries, 1), await take(late, 1)]).to.deep.equal([[254], [254]]);
  });

  it('begins at the present for who wants just what comes', async () => {
    await addChanges(database, 5);
    const entries = follow(await feedEnd(orm.em.fork()));
    await addChanges(database, 5);
    expect(await take(entries, 5)).to.deep.equal(idsFrom(6, 5));
  });

  it('ends when its signal says so: before it begins, while it waits, and while nobody takes', async () => {
    await addChanges(database, 1);
    const waiting = follow(FEED_START);
    const untaken = follow(FEED_START);
    await take(waiting, 1);
    await take(untaken, 1);
    const next = waiting.next();
    over.abort();
    expect((await next).done).to.equal(true);
    expect((await untaken.next()).done).to.equal(true);
    expect((await follow(FEED_START).next()).done).to.equal(true);
  });

  it('gives a sign of life in a silence, and goes on', async () => {
    const entries = feed.follow(FEED_START, { limit: 10, signal: over.signal, beatMs: 50 });
    for (let n = 0; n < 3; n++) expect((await entries.next()).value).to.deep.equal([]);
    await addChanges(database, 1);
    expect(await take(entries, 1)).to.deep.equal([1]);
  });

  it('costs five hundred who follow one listener, and one query a commit', async function () {
    this.timeout(60_000);
    await addChanges(database, 1);
    const end = await feedEnd(orm.em.fork());
    const all = Array.from({ length: 500 }, () => follow(end));
    let first = all.map((entries) => take(entries, 1));
    await listening();
    await addChanges(database, 1);
    for (const ids of await Promise.all(first)) expect(ids).to.deep.equal([2]);
    wire.reset();
    const commits = 20;
    for (let n = 0; n < commits; n++) {
      first = all.map((entries) => take(entries, 1));
      await addChanges(database, 1);
      for (const ids of await Promise.all(first)) expect(ids).to.deep.equal([3 + n]);
    }
    expect(await listeners()).to.equal(1);
    // And a few where another transaction of the cluster was in the way, or time has come to ask in any case.
    expect(wire.statements())
      .to.be.at.least(commits)
      .and.at.most(2 * commits);
  });

  it('does not throw those who follow back on themselves when very much comes at once', async function () {
    this.timeout(60_000);
    const taken = Array.from({ length: 50 }, async () => {
      const ids: number[] = [];
      const entries = follow(FEED_START, 50);
      while (ids.length < 20_000) {
        ids.push(...(await take(entries, 1)));
        // No network takes it as fast as a test could.
        await pause(1);
      }
      return ids;
    });
    await listening();
    wire.reset();
    await addChanges(database, 20_000);
    for (const ids of await Promise.all(taken)) expect(ids).to.deep.equal(idsFrom(1, 20_000));
    // 40 pages, and as many again for those who were slow here and there: by themselves they would have asked 20,000 times.
    expect(wire.statements()).to.be.at.most(80);
  });

  it('lets those who are slow read by themselves, and does not wait for them', async () => {
    const [quick, slow] = [follow(FEED_START), follow(FEED_START)];
    await addChanges(database, 100);
    await take(quick, 100);
    await take(slow, 100);
    for (let n = 0; n < 4; n++) {
      await addChanges(database, 1_000);
      await take(quick, 1_000);
    }
    expect(await take(slow, 4_000)).to.deep.equal(idsFrom(101, 4_000));
    await addChanges(database, 1);
    expect([await take(quick, 1), await take(slow, 1)]).to.deep.equal([[4_101], [4_101]]);
  });

  it('asks again until what an older transaction holds back can be served', async () => {
    const entries = follow(FEED_START);
    await addChanges(database, 1);
    await take(entries, 1);
    const older = await database.connect();
    await older.query('begin; select pg_current_xact_id()');
    await addChanges(database, 1);
    const next = take(entries, 1);
    expect(await Promise.race([next, pause(300)])).to.equal(undefined);
    // No commit of ours, and so nobody says a word.
    await older.query('rollback');
    expect(await next).to.deep.equal([2]);
  });

  for (const [how, passage] of [
    ['told', 'direct'],
    ['asking every second', 'pooled'],
  ] as const) {
    it(`goes on when the database comes back, ${how}`, async () => {
      start(passage);
      const entries = follow(FEED_START);
      await addChanges(database, 1);
      await take(entries, 1);
      await wire.cut();
      await addChanges(database, 2);
      const next = take(entries, 2);
      await eventually(() => errors.length > 0 || undefined);
      await pause(1_500);
      await wire.mend();
      expect(await next).to.deep.equal([2, 3]);
      expect(errors).to.have.length(1);
      await addChanges(database, 1);
      expect(await take(entries, 1)).to.deep.equal([4]);
    });
  }

  it('begins while the database is gone, and gives all as soon as it is there', async () => {
    await addChanges(database, 3);
    await wire.cut();
    const entries = follow(FEED_START);
    const next = take(entries, 3);
    await eventually(() => errors.length > 0 || undefined);
    await wire.mend();
    expect(await next).to.deep.equal([1, 2, 3]);
  });

  it('fails whoever reads by themselves while the database goes, and nobody else', async () => {
    await addChanges(database, 200);
    const live = follow(await feedEnd(orm.em.fork()));
    const waiting = take(live, 1);
    const reading = follow(FEED_START, 100);
    await take(reading, 100);
    await wire.cut();
    const error = await reading.next().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
    await wire.mend();
    await addChanges(database, 1);
    expect(await waiting).to.deep.equal([201]);
  });

  it('wakes whoever wants to know that there is news, until they have enough', async () => {
    let [one, other] = [0, 0];
    const leave = feed.onNews(() => one++);
    const leaveToo = feed.onNews(() => other++);
    await listening();
    await eventually(() => one > 0 || undefined);
    let before = one;
    await addChanges(database, 1);
    await eventually(() => one > before || undefined);
    leaveToo();
    const [told, last] = [one, other];
    before = told;
    await addChanges(database, 2_000);
    await eventually(() => one > before || undefined);
    expect(other).to.equal(last);
    leave();
    await eventually(async () => ((await listeners()) === 0 ? true : undefined));
  });

  it('keeps on listening for those who come again soon', async () => {
    start('direct', 60_000);
    const entries = follow(FEED_START);
    await addChanges(database, 1);
    await take(entries, 1);
    await listening();
    await entries.return(undefined);
    wire.reset();
    const again = follow(FEED_START);
    expect(await take(again, 1)).to.deep.equal([1]);
    expect(wire.statements()).to.be.at.most(1);
    expect(await listeners()).to.equal(1);
  });

  it('shows each change once, and those of an account in order, whatever twenty writers do at the same time', async function () {
    this.timeout(120_000);
    const seen: FeedEntry[][] = [[], [], []];
    const readers = seen.map(async (entries, at) => {
      // Small bites, one by one; the last is slow.
      const following = feed.follow(FEED_START, { limit: at + 1, signal: over.signal, beatMs: 100 });
      for await (const batch of following) {
        entries.push(...batch);
        if (at === 2) await pause(Math.random() * 5);
      }
    });
    await writeAtRandom(database, writing);
    const rows = await database.query<{ id: string }>('select id from changes order by id');
    expect(rows.length).to.be.greaterThan(200);
    await eventually(() => seen.every(({ length }) => length >= rows.length) || undefined);
    await pause(300);
    over.abort();
    await Promise.all(readers);
    for (const entries of seen) {
      expect(entries.map(({ change }) => change.id).sort((a, b) => a - b)).to.deep.equal(
        rows.map(({ id }) => Number(id)),
      );
      for (const changes of Map.groupBy(entries, ({ change }) => change.userId).values()) {
        const versions = changes.map(({ change }) => change.version);
        expect(versions).to.deep.equal(versions.map((_, n) => n + 1));
      }
    }
    expect(seen[1]).to.deep.equal(seen[0]);
    expect(seen[2]).to.deep.equal(seen[0]);
  });
});
