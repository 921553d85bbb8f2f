import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { migrateUnderLock } from '../../src/database/migrate.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { feedStart } from '../../src/http/answer/feed-cursor.ts';
import { openFeed } from '../../src/services/feed/open-feed.ts';
import { FEED_START } from '../../src/store/feed-position.ts';
import { shiftFeed } from '../../src/store/feed-shift.ts';
import { addAccount } from '../support/accounts.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { readFeed } from '../support/feed.ts';
import { startServer } from '../support/server-process.ts';
import { testStore } from '../support/store.ts';

const LOCK = {
  deadline: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
  onWait: () => undefined,
};

describe('a history from another cluster', () => {
  const store = testStore();

  beforeEach(async () => {
    await addAccount(store.database, 'ada@example.com', { role: 'admin' });
    await addAccount(store.database, 'grace@example.com');
  });

  /** Raises the transaction ids, as if a dump had been restored in a cluster with lower ones. */
  const move = (by: string) =>
    store.database.query(
      `update changes set transaction_id = (transaction_id::text::bigint + ${by})::text::xid8`,
    );
  const boot = () => migrateUnderLock(store.orm, LOCK, (em) => shiftFeed(em));
  const feed = async () => {
    const entries = await readFeed(store.em, FEED_START, 100);
    return entries.map(({ change }) => `${change.userId} ${change.version}`);
  };
  const rename = (id: number) =>
    store.as(COMMAND_LINE)(async ({ em }) => {
      (await em.findOneOrFail(User, { id })).name = 'renamed';
    });

  it('is served again after the next start, and continues after its last position', async () => {
    await move('10000000');
    expect(await feed()).to.deep.equal([]);
    expect(await boot()).to.equal(true);
    expect(await feed()).to.deep.equal(['1 1', '2 1']);
    await rename(2);
    await rename(1);
    await addAccountLater();
    expect(await feed()).to.deep.equal(['1 1', '2 1', '2 2', '1 2', '3 1']);
  });

  it('refuses the cursors of the other cluster: it may lack what was read there', async () => {
    const { after } = await openFeed(store.em, 'now', 10);
    await openFeed(store.em, after, 10);
    await move('10000000');
    await boot();
    const error = await openFeed(store.em, after, 10).catch((thrown) => thrown);
    expect(error).to.include({ code: 'cursor_outdated' });
    await openFeed(store.em, (await openFeed(store.em, 'now', 10)).after, 10);
  });

  it('keeps cursors of versions without epochs, and never reuses one that the other cluster may have issued', async () => {
    await move('10000000');
    const [last] = await store.database.query<{ cursor: string }>(
      `select max(transaction_id::text) || '-' || max(id) as cursor from changes`,
    );
    await boot();
    await rename(2);
    const { entries } = await openFeed(store.em, feedStart(last?.cursor), 10);
    expect(entries.map(({ change }) => change.version)).to.deep.equal([2]);
    const next = BigInt(entries[0]?.position.transactionId ?? 0);
    expect(next - BigInt(last?.cursor.split('-')[0] ?? 0) >= 2n ** 32n).to.equal(true);
  });

  it('is shifted once by concurrent starts, and again after another move', async () => {
    await move('10000000');
    const others = await Promise.all(
      Array.from({ length: 4 }, () => MikroORM.init(ormOptions({ ...store.database, poolMax: 2 }))),
    );
    const shifted = await Promise.all(
      others.map((orm) => migrateUnderLock(orm, LOCK, (em) => shiftFeed(em))),
    );
    await Promise.all(others.map((orm) => orm.close(true)));
    expect(shifted.filter(Boolean)).to.have.length(1);
    expect(await boot()).to.equal(false);
    await rename(1);
    await move('20000000000');
    expect(await boot()).to.equal(true);
    await rename(2);
    expect(await feed()).to.deep.equal(['1 1', '2 1', '1 2', '2 2']);
    expect(await store.database.query('select shift from feed_shifts')).to.have.length(2);
  });

  it('is not shifted without a move, during concurrent writes or when it is empty', async () => {
    const writer = await store.database.connect();
    await writer.query(`begin; insert into users (email) values ('late@example.com')`);
    for (let n = 0; n < 5; n++)
      await rename(2).then(() => store.database.query('update users set name = null'));
    expect(await boot()).to.equal(false);
    await writer.query('rollback');
    await store.database.query('delete from changes');
    expect(await boot()).to.equal(false);
    expect(await store.database.query('select * from feed_shifts')).to.deep.equal([]);
  });

  it('is not shifted by the very first start', async () => {
    const empty = await createEmptyDatabase();
    const first = await MikroORM.init({ ...ormOptions(empty), logger: () => undefined });
    try {
      await migrateUnderLock(first, LOCK, async (em) => {
        await addAccountIn(em.execute.bind(em));
        expect(await shiftFeed(em)).to.equal(false);
      });
    } finally {
      await first.close(true);
      await empty.drop();
    }
  });

  it('is shifted by the server before it writes anything', async () => {
    await move('10000000');
    const server = startServer({ DATABASE_URL: store.database.url, INITIAL_ADMINS: 'new@example.com' });
    try {
      await server.ready();
      await server.said('database moved to another cluster; change feed continued');
      expect(await feed()).to.deep.equal(['1 1', '2 1', '3 1']);
    } finally {
      await server.end('SIGKILL');
    }
  });

  const addAccountLater = () =>
    store.as(COMMAND_LINE)(async ({ em }) => {
      em.persist(new User('later@example.com'));
    });
  const addAccountIn = (execute: (sql: string) => Promise<unknown>) =>
    execute(
      `insert into changes (actor, user_id, action, fields, version) values ('test', 1, 'created', '{}', 1)`,
    );
});
