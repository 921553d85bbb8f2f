import { expect } from 'chai';
import type pg from 'pg';
import { openStore, type Store } from '../../src/boot/open-store.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

describe('the change announcer', () => {
  let database: TestDatabase;
  let store: Store;
  let listener: pg.Client;
  let heard: number;
  let isSettled: boolean;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    store = await openStore({ database, mode: 'direct', author: COMMAND_LINE });
    listener = await database.connect();
    heard = 0;
    isSettled = false;
    listener.on('notification', ({ payload }) => {
      if (payload === 'settled') isSettled = true;
      else heard++;
    });
    await listener.query('listen rollcall_changes');
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const invite = (email: string, { dryRun = false } = {}) =>
    store.inUnit(async (unit) => {
      unit.dryRun = dryRun;
      unit.em.persist(new User(email));
    });
  const announcers = () =>
    database.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where datname = current_database() and application_name = 'rollcall announcer'`,
    );
  /** What has been announced until now has arrived then: PostgreSQL tells it in the order of the commits. */
  const settled = async () => {
    isSettled = false;
    await database.query(`notify rollcall_changes, 'settled'`);
    await until('the announcer to settle', () => isSettled);
  };

  it('announces each commit, on one connection beside the pool', async () => {
    for (let n = 0; n < 5; n++) {
      const before = heard;
      await invite(`ada${n}@example.com`);
      await until('the announcement', () => heard > before);
    }
    expect(await announcers()).to.have.length(1);
  });

  it('announces many commits at once with few messages, the last of them after the last commit', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, n) => invite(`ada${n}@example.com`)));
    await until('an announcement', () => heard > 0);
    await settled();
    expect(heard).to.be.at.least(1).and.at.most(50);
  });

  it('announces nothing of a dry run, of a unit that fails, and of one that only reads', async () => {
    await invite('ada@example.com', { dryRun: true });
    await store
      .inUnit(async ({ em }) => {
        em.persist(new User('ada@example.com'));
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    await store.inUnit(({ em }) => em.count(User), { readOnly: true });
    await settled();
    expect(heard).to.equal(0);
    expect(await announcers()).to.have.length(0);
  });

  it('commits while its connection is broken, and opens another with the next commit', async () => {
    await invite('ada@example.com');
    const [{ pid } = { pid: 0 }] = await until('one announcer', async () => {
      const found = await announcers();
      return found.length === 1 ? found : undefined;
    });
    await database.query('select pg_terminate_backend($1)', [pid]);
    await invite('bob@example.com');
    // The next one finds the connection broken, or the new one.
    let n = 0;
    const before = heard;
    await until('an announcement', async () => {
      await invite(`eve${n++}@example.com`);
      return heard > before;
    });
    expect((await announcers()).map((each) => each.pid)).not.to.include(pid);
  });

  it('has announced the last commit when the store is closed', async () => {
    await invite('ada@example.com');
    await store.close();
    await settled();
    expect(heard).to.equal(1);
    expect(await announcers()).to.deep.equal([]);
  });
});
