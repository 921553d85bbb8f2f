import { setTimeout as pause } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../../mikro-orm.config.ts';
import type { ConnectionMode } from '../../../src/database/connection.ts';
import { ChangeFeed } from '../../../src/services/feed/change-feed.ts';
import { changeListener } from '../../../src/store/change-listener.ts';
import { renewEpoch } from '../../../src/store/feed-epoch.ts';
import { feedEnd } from '../../../src/store/feed-page.ts';
import { FEED_START, type FeedEntry, type FeedPosition } from '../../../src/store/feed-position.ts';
import { poolOf } from '../../../src/store/statements.ts';
import { addChanges } from '../../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { type DatabaseProxy, startProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { writeAtRandom } from '../../support/writers.ts';

describe('the change feed', () => {
  let database: TestDatabase;
  /** Carries the queries of the feed; the tests write without it. */
  let proxy: DatabaseProxy;
  let orm: MikroORM;
  let writerOrm: MikroORM;
  let feed: ChangeFeed;
  let controller: AbortController;
  let errors: unknown[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    proxy = await startProxy(database.url);
    orm = await MikroORM.init(ormOptions({ ...database, url: proxy.url }));
    writerOrm = await MikroORM.init(ormOptions({ ...database, poolMax: 30, statementTimeoutMs: 60_000 }));
    // As a start does.
    await renewEpoch(orm.em.fork());
    controller = new AbortController();
    errors = [];
    start();
  });

  afterEach(async () => {
    controller.abort();
    await feed.close();
    await orm.close(true);
    await writerOrm.close(true);
    await proxy.close();
    await database.drop();
  });

  const start = (mode: ConnectionMode = 'direct', lingerMs = 0) => {
    feed = new ChangeFeed({
      em: orm.em.fork(),
      listen: changeListener({ ...database, url: proxy.url }, mode, {
        onLost: () => undefined,
        onRestored: () => undefined,
      }),
      onError: (error) => errors.push(error),
      lingerMs,
    });
  };
  const follow = (after: FeedPosition, limit = 100) =>
    feed.follow(after, { limit, signal: controller.signal });
  /** Takes at least this many entries, unless the feed ends first. */
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
  /** Every statement that the feed has sent is answered: none is still on its way to the proxy. */
  const answered = async () => {
    const pool = await poolOf(orm.em);
    await until('the pool to be idle', () => pool.idleCount === pool.totalCount);
  };
  const listening = () => until('the feed to listen', async () => (await listeners()) === 1);

  it('sends no queries and does not listen without followers', async () => {
    await orm.em.fork().execute('select 1');
    await answered();
    proxy.reset();
    for (let n = 0; n < 5; n++) await addChanges(database, 1);
    expect([proxy.statements(), await listeners()]).to.deep.equal([0, 0]);
    const entries = follow(FEED_START);
    await take(entries, 5);
    await listening();
    await entries.return(undefined);
    await until('nobody to listen', async () => (await listeners()) === 0);
    await answered();
    proxy.reset();
    await addChanges(database, 1);
    expect(proxy.statements()).to.equal(0);
  });

  it('yields past changes and then new ones, each once and without a gap', async () => {
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

  it('starts with the next change after the end of the feed', async () => {
    await addChanges(database, 5);
    const entries = follow(await feedEnd(orm.em.fork()));
    await addChanges(database, 5);
    expect(await take(entries, 5)).to.deep.equal(idsFrom(6, 5));
  });

  it('ends on abort: before the first read, while waiting, and between reads', async () => {
    await addChanges(database, 1);
    const waiting = follow(FEED_START);
    const untaken = follow(FEED_START);
    await take(waiting, 1);
    await take(untaken, 1);
    const next = waiting.next();
    controller.abort();
    expect((await next).done).to.equal(true);
    expect((await untaken.next()).done).to.equal(true);
    expect((await follow(FEED_START).next()).done).to.equal(true);
  });

  it('yields empty batches while there are no changes, and continues', async () => {
    const entries = feed.follow(FEED_START, { limit: 10, signal: controller.signal, beatMs: 50 });
    for (let n = 0; n < 3; n++) expect((await entries.next()).value).to.deep.equal([]);
    await addChanges(database, 1);
    expect(await take(entries, 1)).to.deep.equal([1]);
  });

  it('serves five hundred followers with one listener and one query per commit', async function () {
    this.timeout(120_000);
    await addChanges(database, 1);
    const end = await feedEnd(orm.em.fork());
    const all = Array.from({ length: 500 }, () => follow(end));
    let first = all.map((entries) => take(entries, 1));
    await listening();
    await addChanges(database, 1);
    for (const ids of await Promise.all(first)) expect(ids).to.deep.equal([2]);
    proxy.reset();
    const began = performance.now();
    const commits = 20;
    for (let n = 0; n < commits; n++) {
      first = all.map((entries) => take(entries, 1));
      await addChanges(database, 1);
      for (const ids of await Promise.all(first)) expect(ids).to.deep.equal([3 + n]);
    }
    expect(await listeners()).to.equal(1);
    // A few more are due to other transactions in the cluster, and one a second to the regular poll.
    const polls = Math.ceil((performance.now() - began) / 1_000);
    expect(proxy.statements())
      .to.be.at.least(commits)
      .and.at.most(2 * commits + polls);
  });

  it('keeps followers on shared reads when very many changes arrive at once', async function () {
    this.timeout(120_000);
    const taken = Array.from({ length: 50 }, async () => {
      const ids: number[] = [];
      const entries = follow(FEED_START, 50);
      while (ids.length < 20_000) {
        ids.push(...(await take(entries, 1)));
        // No network client reads as fast as a test could.
        await pause(1);
      }
      return ids;
    });
    await listening();
    proxy.reset();
    await addChanges(database, 20_000);
    for (const ids of await Promise.all(taken)) expect(ids).to.deep.equal(idsFrom(1, 20_000));
    // 40 pages in two parts, and some for followers that fell behind; reading on their own, they would send 20,000 queries.
    expect(proxy.statements()).to.be.at.most(160);
  });

  it('lets slow followers read on their own, and does not wait for them', async () => {
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

  it('polls until a change withheld by an older transaction can be served', async () => {
    const entries = follow(FEED_START);
    await addChanges(database, 1);
    await take(entries, 1);
    const older = await database.connect();
    await older.query('begin; select pg_current_xact_id()');
    await addChanges(database, 1);
    const next = take(entries, 1);
    expect(await Promise.race([next, pause(300)])).to.equal(undefined);
    // A rollback sends no notification.
    await older.query('rollback');
    expect(await next).to.deep.equal([2]);
  });

  for (const [how, mode] of [
    ['with notifications', 'direct'],
    ['polling every second', 'pooled'],
  ] as const) {
    it(`continues when the database comes back, ${how}`, async () => {
      start(mode);
      const entries = follow(FEED_START);
      await addChanges(database, 1);
      await take(entries, 1);
      await proxy.cut();
      await addChanges(database, 2);
      const next = take(entries, 2);
      await until('an error', () => errors.length > 0);
      await pause(1_500);
      await proxy.mend();
      expect(await next).to.deep.equal([2, 3]);
      expect(errors).to.have.length(1);
      await addChanges(database, 1);
      expect(await take(entries, 1)).to.deep.equal([4]);
    });
  }

  it('starts during a database outage, and yields everything when it ends', async () => {
    await addChanges(database, 3);
    await proxy.cut();
    const entries = follow(FEED_START);
    const next = take(entries, 3);
    await until('an error', () => errors.length > 0);
    await proxy.mend();
    expect(await next).to.deep.equal([1, 2, 3]);
  });

  it('fails only followers that are reading on their own when the database goes down', async () => {
    await addChanges(database, 200);
    const live = follow(await feedEnd(orm.em.fork()));
    const waiting = take(live, 1);
    const reading = follow(FEED_START, 100);
    await take(reading, 100);
    await proxy.cut();
    const error = await reading.next().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
    await proxy.mend();
    await addChanges(database, 1);
    expect(await waiting).to.deep.equal([201]);
  });

  it('wakes subscribers of news until they unsubscribe', async () => {
    let [one, other] = [0, 0];
    const unsubscribe = feed.onNews(() => one++);
    const unsubscribeOther = feed.onNews(() => other++);
    await listening();
    await until('news', () => one > 0);
    let before = one;
    await addChanges(database, 1);
    await until('more news', () => one > before);
    unsubscribeOther();
    const last = other;
    before = one;
    await addChanges(database, 2_000);
    await until('more news', () => one > before);
    expect(other).to.equal(last);
    unsubscribe();
    await until('nobody to listen', async () => (await listeners()) === 0);
  });

  it('announces news without reading it', async () => {
    let news = 0;
    const unsubscribe = feed.onNews(() => news++);
    await listening();
    await orm.em.fork().execute('select 1');
    const before = news;
    proxy.reset();
    await addChanges(database, 1);
    await until('more news', () => news > before);
    expect(proxy.statements()).to.equal(0);
    await unsubscribe();
  });

  it('reads each change once for followers and for readers together', async () => {
    const end = await feedEnd(orm.em.fork());
    const live = follow(end);
    const waiting = take(live, 1);
    await listening();
    await feed.read(end, 10, end.seen.epoch);
    proxy.reset();
    await addChanges(database, 1);
    expect(await waiting).to.deep.equal([1]);
    const read = proxy.statements();
    const { entries, readAt } = await feed.read(end, 10, end.seen.epoch);
    expect(entries.map(({ change }) => change.id)).to.deep.equal([1]);
    expect(readAt).to.be.at.most(performance.now());
    // The regular poll may be due.
    expect(proxy.statements()).to.be.at.most(read + 1);
  });

  it('reads what it has not read yet for a reader', async () => {
    await addChanges(database, 3);
    const { epoch } = (await feedEnd(orm.em.fork())).seen;
    const { entries } = await feed.read(FEED_START, 2, epoch);
    expect(entries.map(({ change }) => change.id)).to.deep.equal([1, 2]);
    const live = follow(await feedEnd(orm.em.fork()));
    const waiting = take(live, 1);
    await addChanges(database, 1);
    await waiting;
    expect((await feed.read(FEED_START, 10, epoch)).entries).to.have.length(4);
  });

  it('keeps listening for followers that come back soon', async () => {
    start('direct', 60_000);
    const entries = follow(FEED_START);
    await addChanges(database, 1);
    await take(entries, 1);
    await listening();
    await entries.return(undefined);
    proxy.reset();
    const again = follow(FEED_START);
    expect(await take(again, 1)).to.deep.equal([1]);
    // The regular poll may be due.
    expect(proxy.statements()).to.be.at.most(2);
    expect(await listeners()).to.equal(1);
  });

  it('yields each change once, and those of an account in order, with twenty concurrent writers', async function () {
    this.timeout(120_000);
    const seen: FeedEntry[][] = [[], [], []];
    const readers = seen.map(async (entries, at) => {
      // Small batches of different sizes; the last follower is slow.
      const following = feed.follow(FEED_START, { limit: at + 1, signal: controller.signal, beatMs: 100 });
      for await (const batch of following) {
        entries.push(...batch);
        if (at === 2) await pause(Math.random() * 5);
      }
    });
    await writeAtRandom(database, writerOrm);
    const rows = await database.query<{ id: string }>('select id from changes order by id');
    expect(rows.length).to.be.greaterThan(200);
    // However slow the last follower is: the test has a limit of its own.
    await until('every change', () => seen.every(({ length }) => length >= rows.length), 100_000);
    await pause(300);
    controller.abort();
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
    const changesOf = (entries: readonly FeedEntry[] | undefined) => entries?.map(({ change }) => change);
    expect(changesOf(seen[1])).to.deep.equal(changesOf(seen[0]));
    expect(changesOf(seen[2])).to.deep.equal(changesOf(seen[0]));
  });
});
