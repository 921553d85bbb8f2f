import { expect } from 'chai';
import type { Report } from '../../src/metrics/checks.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { scrape } from '../support/metrics.ts';
import { startProxy } from '../support/proxy.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const BOOT_LOCK = "select pg_advisory_xact_lock(x'726f6c6c63616c6c'::bigint)";
const LAST = '(select max(id) from rollcall_migrations)';

describe('the port for operators, during a start', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let server: ServerProcess;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await database.drop();
  });

  /** Starts a process, and resolves with its port for operators. */
  const start = async (env: NodeJS.ProcessEnv = {}) => {
    server = startServer({ DATABASE_URL: database.url, METRICS_PORT: '0', ...env });
    return (await server.said('serving metrics'))['address'] as string;
  };
  const report = async (operators: string) => {
    const response = await fetch(`${operators}/readyz?verbose`);
    return { code: response.status, ...((await response.json()) as Report) };
  };
  /** The report once the start says why it waits. */
  const waiting = (operators: string, reason: RegExp) =>
    until(`waiting: ${reason}`, async () => {
      const found = await report(operators);
      return reason.test(found.start?.reason ?? '') ? found : undefined;
    });
  /** What is shown once it serves. */
  const expectReady = async (operators: string) => {
    await server.ready();
    const found = await report(operators);
    expect([found.code, found.start, found.checks.database.state]).to.deep.equal([200, undefined, 'ok']);
    const { value } = await scrape(operators);
    expect([value('rollcall_starting'), value('rollcall_database_up')]).to.deep.equal([0, 1]);
  };

  it('shows a start that waits for its database, and then the service', async () => {
    const wire = await startProxy(database.url, { cut: true });
    const operators = await start({ DATABASE_URL: wire.url });
    const { code, start: found, phase, checks } = await waiting(operators, /ECONNREFUSED/);
    expect([code, phase, found?.step]).to.deep.equal([503, 'booting', 'reaching the database']);
    expect(Date.parse(found?.since ?? '')).to.be.within(Date.now() - 60_000, Date.now());
    expect([checks.database.state, checks.migrations.state]).to.deep.equal(['failing', 'unknown']);
    expect(checks.database.reason).to.match(/ECONNREFUSED/);
    const brief = await fetch(`${operators}/readyz`);
    expect([brief.status, await brief.json()]).to.deep.equal([503, { status: 'not_ready' }]);
    expect((await fetch(`${operators}/healthz`)).status).to.equal(200);
    const { status: scraped, value, names } = await scrape(operators);
    expect(scraped).to.equal(200);
    expect([value('rollcall_starting'), value('rollcall_database_up')]).to.deep.equal([1, 0]);
    expect(value('rollcall_build_info')).to.equal(1);
    expect(value('rollcall_migrations_pending')).to.equal(undefined);
    expect(names).not.to.include('rollcall_pool_connections');
    await wire.mend();
    await expectReady(operators);
    expect(await server.end('SIGTERM')).to.equal(0);
    await wire.close();
  });

  it('shows a start that waits for the boot lock, and a signal ends both', async () => {
    const holder = await database.connect();
    await holder.query(`begin; ${BOOT_LOCK}`);
    const operators = await start();
    const { start: found, checks } = await waiting(operators, /boot lock/);
    expect([found?.step, checks.database.state]).to.deep.equal(['preparing the database', 'ok']);
    const { value } = await scrape(operators);
    expect([value('rollcall_starting'), value('rollcall_database_up')]).to.deep.equal([1, 1]);
    expect(await server.end('SIGTERM')).to.equal(0);
    const closed = await fetch(`${operators}/healthz`).catch((error: Error) => error.message);
    expect(closed).to.equal('fetch failed');
    await holder.query('rollback');
  });

  it('no longer says that it waits for the boot lock, once the start works', async () => {
    const holder = await database.connect();
    await holder.query(`begin; ${BOOT_LOCK}`);
    const operators = await start({ INITIAL_ADMINS: 'ada@example.com' });
    await waiting(operators, /boot lock/);
    const other = await database.connect();
    await other.query('begin; lock table users');
    await holder.query('rollback');
    const working = await until('it works', async () => {
      const { start: found } = await report(operators);
      return found?.reason === undefined ? found : undefined;
    });
    expect(working.step).to.equal('preparing the database');
    await other.query('rollback');
    await expectReady(operators);
  });

  it('shows the migrations that a start waits for', async () => {
    const [last] = await database.query<{ name: string }>(
      `delete from rollcall_migrations where id = ${LAST} returning name`,
    );
    const operators = await start({ MIGRATE_ON_BOOT: 'false' });
    const { checks } = await waiting(operators, /MIGRATE_ON_BOOT/);
    expect(checks.migrations).to.include({ state: 'failing', reason: `pending: ${last?.name}` });
    expect((await scrape(operators)).value('rollcall_migrations_pending')).to.equal(1);
    await database.query('insert into rollcall_migrations (name) values ($1)', [last?.name]);
    await expectReady(operators);
  });

  it('is closed when the start fails', async () => {
    const operators = await start({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      BOOT_TIMEOUT_MS: '1000',
    });
    expect(await server.ended()).to.equal(1);
    const closed = await fetch(`${operators}/healthz`).catch((error: Error) => error.message);
    expect(closed).to.equal('fetch failed');
  });
});
