import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { isUnavailable } from '../../src/database/driver-errors.ts';
import { runAlone, runInTransaction, runWithin } from '../../src/store/statements.ts';
import { testStore } from '../support/store.ts';

const statement = (text: string) => ({ text, values: [] });
const OWN_PID = statement('select pg_backend_pid() as pid');
const EMAILS = 'select email from users order by id';
const insert = (email: string) => `insert into users (email) values ('${email}')`;
const codeOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

describe('a statement with a time limit', () => {
  const store = testStore({ poolMax: 1 });

  it('ends without an answer at its limit, and leaves the connection and its settings as they were', async () => {
    const settings = () =>
      runAlone(store.em, statement(`select current_setting('statement_timeout'), pg_backend_pid()`));
    const before = await settings();
    expect(await runWithin(store.em, 100, statement('select pg_sleep(10)'))).to.equal(undefined);
    expect(await runWithin(store.em, 5_000, statement('select 1 as one'))).to.deep.equal([{ one: 1 }]);
    expect(await settings()).to.deep.equal(before);
  });

  it('keeps the shorter limit of the session, whose error is not its own', async () => {
    const orm = await MikroORM.init({
      ...ormOptions({ ...store.database, statementTimeoutMs: 200 }),
      logger: () => undefined,
    });
    try {
      const outcome = await runWithin(orm.em.fork(), 5_000, statement('select pg_sleep(10)')).catch(
        (error: Error) => error,
      );
      expect(isUnavailable(outcome)).to.equal(true);
    } finally {
      await orm.close(true);
    }
  });
});

describe('a connection of the pool', () => {
  const store = testStore({ poolMax: 1 });

  it('survives a statement that is refused, and not one that ends it', async () => {
    const before = await runAlone(store.em, OWN_PID);
    expect(await codeOf(runAlone(store.em, statement('select 1 / 0')))).to.equal('22012');
    expect(await runAlone(store.em, OWN_PID)).to.deep.equal(before);
    const end = statement('select pg_terminate_backend(pg_backend_pid())');
    expect(await codeOf(runAlone(store.em, end))).to.equal('57P01');
    expect(await runAlone(store.em, OWN_PID)).not.to.deep.equal(before);
  });

  it('carries out nothing of a transaction whose first statement fails or that is rolled back', async () => {
    const em = store.em;
    await em.begin();
    // The second row breaks a constraint.
    expect(await codeOf(em.execute(`${insert('a@example.com')}, ('A')`))).to.equal('23514');
    await em.rollback();
    await em.begin();
    await em.execute(insert('b@example.com'));
    await em.rollback();
    await em.begin();
    await runInTransaction(em, { text: 'insert into users (email) values ($1)', values: ['c@example.com'] });
    await em.rollback();
    await em.begin();
    await em.rollback();
    expect(await em.execute(EMAILS)).to.deep.equal([]);
    await em.begin();
    await em.execute(insert('d@example.com'));
    await em.commit();
    expect(await em.execute(EMAILS)).to.deep.equal([{ email: 'd@example.com' }]);
  });

  it('tells the failure of a statement that nobody waits for to the commit, which then leaves nothing', async () => {
    const em = store.em;
    const failing = { text: 'select 1 / $1::int', values: [0], isAnsweredByNext: true };
    await em.begin();
    await em.execute(insert('a@example.com'));
    await runInTransaction(em, failing);
    expect(await codeOf(em.commit())).to.equal('22012');
    await em.rollback();
    expect(await em.execute(EMAILS)).to.deep.equal([]);
    await em.begin();
    await runInTransaction(em, failing);
    await em.rollback();
    expect(await em.execute('select 1 as one')).to.deep.equal([{ one: 1 }]);
  });
});
