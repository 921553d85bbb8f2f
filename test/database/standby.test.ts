import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

describe('a standby behind the address of the database', function () {
  this.timeout(120_000);

  let primary: PostgresServer;
  let standby: PostgresServer;
  let wire: DatabaseProxy;
  let server: ServerProcess;
  let address: string;

  before(async () => {
    primary = await startPostgres();
    standby = await startPostgres({ primary });
    wire = await startProxy(urlOf(primary));
    server = startServer({ DATABASE_URL: wire.url, INITIAL_ADMINS: ADA });
    address = await server.ready();
  });

  after(async () => {
    await server.end('SIGKILL');
    await wire.close();
    await standby.remove();
    await primary.remove();
  });

  const urlOf = ({ port }: PostgresServer) => `postgres://postgres@127.0.0.1:${port}/postgres`;
  const call = async (path: string, init: RequestInit = {}) =>
    fetch(address + path, {
      ...init,
      headers: { ...init.headers, Authorization: `Bearer ${await signHs256(SECRET, ADA, '1h')}` },
    });
  const write = (name: string) =>
    call('/v1/me', {
      method: 'PATCH',
      body: JSON.stringify({ name }),
      headers: { 'Content-Type': 'application/json' },
    });

  it('counts as unavailable, for requests and for readiness, until it is the primary', async () => {
    expect((await write('Ada')).status).to.equal(200);
    const [written] = await primary.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
    await until('the standby', async () => {
      const [at] = await standby.query<{ there: boolean }>(
        `select pg_last_wal_replay_lsn() >= '${written?.lsn}'::pg_lsn as there`,
      );
      return at?.there;
    });
    await wire.cut();
    wire.lead(urlOf(standby));
    await wire.mend();

    await until('unreadiness', async () => (await fetch(`${address}/readyz`)).status === 503);
    await expectProblem(await fetch(`${address}/readyz`), 503, 'database_unavailable');
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = await write('Grace');
      expect(answer.headers.get('retry-after')).to.equal('1');
      await expectProblem(answer, 503, 'database_unavailable');
      await expectProblem(await call('/v1/me'), 503, 'database_unavailable');
    }
    // Each look whether it is the primary by now makes a connection, and ends it.
    await until('no connection to be kept', async () => {
      const kept = await standby.query(`select from pg_stat_activity where application_name = 'rollcall'`);
      return kept.length === 0;
    });
    expect(JSON.stringify(server.lines)).not.to.include('"stack"');

    const late = startServer({ DATABASE_URL: wire.url, INITIAL_ADMINS: ADA });
    try {
      await late.said('database unavailable; trying again; if this lasts, check DATABASE_URL and the server');
      await primary.stop();
      await standby.query('select pg_promote()');
      await late.ready();
    } finally {
      await late.end('SIGKILL');
    }
    await until('readiness', async () => (await fetch(`${address}/readyz`)).status === 200);
    await until('a write', async () => (await write('Grace')).status === 200);
  });
});
