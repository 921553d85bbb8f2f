import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { migrateUnderLock } from '../../src/database/schema.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { FEED_START, openFeed, readFeed } from '../../src/store/feed-page.ts';
import { shiftFeed } from '../../src/store/feed-shift.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startServer } from '../support/server-process.ts';

const LOCK = {
  deadline: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
  onWait: () => undefined,
};

describe('a history that comes from another cluster', () => {
  let database: TestDatabase;
  let orm: MikroORM;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    orm = await MikroORM.init(ormOptions(database));
    await addAccount(database, 'ada@example.com', { role: 'admin' });
    await addAccount(database, 'grace@example.com');
  });

  afterEach(async () => {
    await orm.close(true);
    await database.drop();
  });

  /** As a dump leaves it that is restored where the transaction ids are lower. */
  const move = (by: string) =>
    database.query(`update changes set transaction_id = (transaction_id::text::bigint + ${by})::text::xid8`);
  const boot = () => migrateUnderLock(orm, LOCK, (em) => shiftFeed(em));
  const feed = async () => {
    const entries = await readFeed(orm.em.fork(), FEED_START, 100);
    return entries.map(({ change }) => `${change.userId} ${change.version}`);
  };
  const rename = (id: number) =>
    unitsOfWork(
      orm,
      COMMAND_LINE,
    )(async ({ em }) => {
      (await em.findOneOrFail(User, { id })).name = 'renamed';
    });

  it('is served again after the next start, and goes on behind its end', async () => {
    await move('10000000');
    expect(await feed()).to.deep.equal([]);
    expect(await boot()).to.equal(true);
    expect(await feed()).to.deep.equal(['1 1', '2 1']);
    await rename(2);
    await rename(1);
    await addAccountLater();
    expect(await feed()).to.deep.equal(['1 1', '2 1', '2 2', '1 2', '3 1']);
  });

  it('keeps its cursors, and gives none of those that it may have given later to anything else', async () => {
    await move('10000000');
    const [last] = await database.query<{ cursor: string }>(
      `select max(transaction_id::text) || '-' || max(id) as cursor from changes`,
    );
    await boot();
    await rename(2);
    const { entries } = await openFeed(orm.em.fork(), last?.cursor, 10);
    expect(entries.map(({ change }) => change.version)).to.deep.equal([2]);
    const next = BigInt(entries[0]?.position.transactionId ?? 0);
    expect(next - BigInt(last?.cursor.split('-')[0] ?? 0) >= 2n ** 32n).to.equal(true);
  });

  it('is moved once, by whichever of many starts comes first, and again after another move', async () => {
    await move('10000000');
    const others = await Promise.all(
      Array.from({ length: 4 }, () => MikroORM.init(ormOptions({ ...database, poolMax: 2 }))),
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
    expect(await database.query('select shift from feed_shifts')).to.have.length(2);
  });

  it('is left alone where it is from here: also while others write, and where there is none', async () => {
    const writer = await database.connect();
    await writer.query(`begin; insert into users (email) values ('late@example.com')`);
    for (let n = 0; n < 5; n++) await rename(2).then(() => database.query('update users set name = null'));
    expect(await boot()).to.equal(false);
    await writer.query('rollback');
    await database.query('delete from changes');
    expect(await boot()).to.equal(false);
    expect(await database.query('select * from feed_shifts')).to.deep.equal([]);
  });

  it('is left alone where the very first start has just begun it', async () => {
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

  it('is noticed by the server, before it writes anything', async () => {
    await move('10000000');
    const server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'new@example.com' });
    try {
      await server.ready();
      await server.said('the history is from another cluster: the change feed goes on behind its end');
      expect(await feed()).to.deep.equal(['1 1', '2 1', '3 1']);
    } finally {
      await server.end('SIGKILL');
    }
  });

  const addAccountLater = () =>
    unitsOfWork(
      orm,
      COMMAND_LINE,
    )(async ({ em }) => {
      em.persist(new User('later@example.com'));
    });
  const addAccountIn = (execute: (sql: string) => Promise<unknown>) =>
    execute(
      `insert into changes (actor, user_id, action, fields, version) values ('test', 1, 'created', '{}', 1)`,
    );
});
