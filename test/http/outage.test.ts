import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { isUnavailable } from '../../src/database/driver-errors.ts';
import { lockLimits } from '../../src/store/lock-limits.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

describe('during a database outage', () => {
  let app: TestApp;
  let wire: DatabaseProxy;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    const promote = testEndpoint({
      method: 'POST',
      path: '/v1/promote',
      access: 'account',
      handle: ({ actor }) => actor.promote(),
      view: (changed) => ({ changed }),
    });
    const found = { encrypted: false, checksClients: true };
    app = await startApp({ database: { ...database, found }, through: wire.url, extra: [promote] });
    await addAccount(database, 'ada@example.com');
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const me = () => app.call('/v1/me', { as: 'ada@example.com' });
  const promote = () => app.call('/v1/promote', { method: 'POST', as: 'ada@example.com' });
  /** Resolves when the service has exactly `count` sessions, or as many that wait for a lock. */
  const sessions = async (state: 'waiting' | 'any', count: number) => {
    const sql = `select 1 from pg_stat_activity where datname = $1 and application_name = 'rollcall'
                 and (wait_event_type = 'Lock' or $2 = 'any')`;
    await until(
      `${count} sessions`,
      async () => (await app.database.query(sql, [app.database.name, state])).length === count,
    );
  };

  it('answers 503 database_unavailable, and works again as soon as the database is back', async () => {
    expect((await me()).status).to.equal(200);
    for (let round = 0; round < 2; round++) {
      await wire.cut();
      for (const response of await Promise.all(Array.from({ length: 20 }, me))) {
        expect(response.headers.get('retry-after')).to.equal('1');
        await expectProblem(response, 503, 'database_unavailable');
      }
      await expectProblem(await promote(), 503, 'database_unavailable');
      await wire.mend();
      for (const { status } of await Promise.all(Array.from({ length: 20 }, me)))
        expect(status).to.equal(200);
    }
    expect((await accountsIn(app.database))[0]).to.include({ role: 'user' });
  });

  it('answers 503 within the statement timeout when the network falls silent', async () => {
    const silent = await startApp({
      through: wire.url,
      database: { ...app.database, statementTimeoutMs: 100 },
    });
    expect((await silent.call('/v1/me', { as: 'ada@example.com' })).status).to.equal(200);
    // Its connection has been idle for longer than an answer may take.
    await delay(1_500);
    wire.silence();
    await expectProblem(await silent.call('/v1/me', { as: 'ada@example.com' }), 503, 'database_unavailable');
    await wire.cut();
    await wire.mend();
    expect((await silent.call('/v1/me', { as: 'ada@example.com' })).status).to.equal(200);
    await silent.drain(1_000);
    await silent.orm.close(true);
  });

  it('logs the reason, and does not show callers where the database is', async () => {
    await wire.cut();
    const response = await me();
    const problem = JSON.stringify(await expectProblem(response, 503, 'database_unavailable'));
    for (const secret of ['ECONNREFUSED', '127.0.0.1', new URL(wire.url).port]) {
      expect(problem).not.to.include(secret);
    }
    const [logged] = app.log.filter(({ code }) => code === 'database_unavailable');
    expect(logged).to.include({
      level: 40,
      msg: 'database unavailable; if this lasts, check the database and the network',
    });
    expect(logged?.['requestId']).to.equal(response.headers.get('x-request-id'));
    expect(JSON.stringify(logged?.['reason'])).to.include('ECONNREFUSED');
    expect(JSON.stringify(app.log)).not.to.include(new URL(wire.url).password);
  });

  it('still answers 401 to a request without a token, which needs no database', async () => {
    await wire.cut();
    await expectProblem(await app.call('/v1/me'), 401, 'unauthenticated');
  });

  it('answers 503 to requests in flight, and loses no connection of the pool', async () => {
    // One request per connection of the pool: none of them may stay lost. They are open before, because no request waits long for a lock.
    const busy = Array.from({ length: 10 }, () => app.orm.em.fork().execute('select pg_sleep(0.2)'));
    await Promise.all(busy);
    const blocker = await app.database.connect();
    await blocker.query('begin; lock table users');
    const pending: ReturnType<typeof me>[] = [];
    for (let n = 1; n <= 10; n++) {
      pending.push(me());
      // Requests that arrive together share a connection.
      await until('it arrives', () => app.load.state.inFlight === n);
    }
    await sessions('waiting', 10);
    await wire.cut();
    for (const response of await Promise.all(pending)) {
      await expectProblem(response, 503, 'database_unavailable');
    }
    await wire.mend();
    await blocker.query('rollback');
    for (const { status } of await Promise.all(Array.from({ length: 20 }, me))) expect(status).to.equal(200);
  });

  it('leaves later writes their share of the connections, whenever a transaction has failed', async () => {
    const units = unitsOfWork(app.orm, undefined, { locks: lockLimits(app.database) });
    const select = (work = async () => {}) =>
      units(async (unit) => {
        await unit.begin();
        await work();
        await unit.em.execute('select 1');
      });
    // More than may write at once.
    for (let n = 0; n < 10; n++) {
      await wire.cut();
      expect(isUnavailable(await select().catch((error: unknown) => error))).to.equal(true);
      await wire.mend();
      const broken = await select(() => wire.cut()).catch((error: unknown) => error);
      expect(isUnavailable(broken)).to.equal(true);
      await wire.mend();
    }
    await select();
  });

  it('rolls back a write whose connection is lost while it waits', async () => {
    const blocker = await app.database.connect();
    await blocker.query('begin; lock table users in share mode');
    const pending = promote();
    await sessions('waiting', 1);
    await wire.cut();
    await expectProblem(await pending, 503, 'database_unavailable');
    // The server notices within a second that nobody waits for the write.
    await sessions('any', 0);
    await blocker.query('rollback');
    expect((await accountsIn(app.database))[0]).to.include({ role: 'user' });

    await wire.mend();
    expect(await (await promote()).json()).to.deep.equal({ changed: true });
    expect((await accountsIn(app.database))[0]).to.include({ role: 'admin' });
  });

  it('answers 503 when an administrator terminates a session', async () => {
    const blocker = await app.database.connect();
    await blocker.query('begin; lock table users');
    const pending = me();
    await sessions('waiting', 1);
    await app.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name = 'rollcall'`,
      [app.database.name],
    );
    await expectProblem(await pending, 503, 'database_unavailable');
    await blocker.query('rollback');
    expect((await me()).status).to.equal(200);
  });
});
