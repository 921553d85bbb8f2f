import { expect } from 'chai';
import { connectionsBesidePool } from '../../src/boot/connections.ts';
import { sideConnection } from '../../src/database/side-connection.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startObserved } from '../support/metrics.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

describe('a connection beside the pool', () => {
  let database: TestDatabase;
  let wire: DatabaseProxy;
  let lost: number;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    lost = 0;
  });

  afterEach(async () => {
    await wire.close();
    await database.drop();
  });

  const side = (limitMs?: number) =>
    sideConnection({ ...database, url: wire.url }, 'direct', {
      name: 'rollcall test',
      ...(limitMs !== undefined && { limitMs }),
      onLost: () => lost++,
    });
  const PID = { text: 'select pg_backend_pid() as pid', values: [] };
  const sessions = () =>
    database.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = $1 and application_name = 'rollcall test'`,
      [database.name],
    );
  const noSession = () => until('no session', async () => (await sessions()).length === 0);

  it('is opened with the first question, and kept after an error of the statement', async () => {
    const own = side();
    expect(await sessions()).to.have.length(0);
    const first = await own.ask(PID);
    const error = await own.ask({ text: 'select 1 / 0', values: [] }).catch((thrown) => thrown);
    expect(error.code).to.equal('22012');
    expect(await own.ask(PID)).to.deep.equal(first);
    expect(await own.ask({ text: 'select 1 as one; select 2 as two', values: [] })).to.deep.equal([
      { two: 2 },
    ]);
    await own.close();
    await noSession();
    expect(lost).to.equal(0);
  });

  it('is replaced within the question that finds it lost, and no further', async () => {
    const own = side();
    const [{ pid: before } = { pid: 0 }] = await own.ask<{ pid: number }>(PID);
    await database.query('select pg_terminate_backend($1)', [before]);
    const [{ pid: after } = { pid: 0 }] = await own.ask<{ pid: number }>(PID);
    expect(after).not.to.equal(before);
    // Ended by the server while the question is running.
    const failed = await own
      .ask({ text: 'select pg_terminate_backend(pg_backend_pid())', values: [] })
      .catch((thrown) => thrown);
    expect(failed).to.be.an('error');
    await wire.cut();
    expect(await own.ask(PID).catch(({ code }) => code)).to.equal('ECONNREFUSED');
    await wire.mend();
    expect(await own.ask(PID)).to.have.length(1);
    await own.close();
    await noSession();
  });

  it('tells when it is lost while nobody asks, and not when it is closed or forgotten', async () => {
    const own = side();
    const [{ pid } = { pid: 0 }] = await own.ask<{ pid: number }>(PID);
    await database.query('select pg_terminate_backend($1)', [pid]);
    await until('the loss', () => lost === 1);
    await own.ask(PID);
    own.forget();
    await noSession();
    await own.ask(PID);
    await own.close();
    await noSession();
    expect(lost).to.equal(1);
    expect(await own.ask(PID).catch((error) => error)).to.be.an('error');
    expect(await sessions()).to.have.length(0);
  });

  it('fails once after its limit where nobody answers, and asks on another one then', async () => {
    const own = side(1_000);
    await own.ask(PID);
    const slow = await own.ask({ text: 'select pg_sleep(60)', values: [] }).catch((thrown) => thrown);
    expect(slow.code).to.equal('57014');
    await noSession();
    wire.silence();
    const silent = await own.ask(PID).catch((thrown) => thrown);
    expect(silent).to.be.an('error');
    await wire.cut();
    await wire.mend();
    expect(await own.ask(PID)).to.have.length(1);
    await own.close();
  });

  it('is one of as many as the doctor counts', async () => {
    const server = await startObserved({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com' });
    try {
      const as = 'ada@example.com';
      const stream = await server.call('/v1/changes', { as, headers: { Accept: 'text/event-stream' } });
      const headers = { 'Content-Type': 'application/json' };
      const body = JSON.stringify({ email: 'grace@example.com' });
      const invited = await server.call('/v1/users', { as, method: 'POST', headers, body });
      expect(invited.status).to.equal(201);
      expect((await server.call('/readyz')).status).to.equal(200);
      expect((await server.scrape()).status).to.equal(200);
      const names = async () => {
        const rows = await database.query<{ name: string }>(
          `select application_name as name from pg_stat_activity
            where datname = $1 and application_name like 'rollcall %' order by 1`,
          [database.name],
        );
        return rows.map(({ name }) => name);
      };
      const settings = { metrics: { port: 0, host: '' }, replicas: { urls: [], maxLagMs: 0 } };
      await until('all of them', async () => (await names()).length === connectionsBesidePool(settings));
      expect(await names()).to.deep.equal([
        'rollcall announcer',
        'rollcall listener',
        'rollcall metrics',
        'rollcall readiness',
      ]);
      await stream.body?.cancel();
    } finally {
      await server.end('SIGTERM');
    }
  });
});
