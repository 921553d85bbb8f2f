import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { StartProgress } from '../../src/boot/start-progress.ts';
import { readinessCheck } from '../../src/database/readiness.ts';
import { sideConnection } from '../../src/database/side-connection.ts';
import { Checks, type Report } from '../../src/metrics/checks.ts';
import { databaseSeries } from '../../src/metrics/database-series.ts';
import { figuresSource, MAX_AGE_MS } from '../../src/metrics/figures.ts';
import { addAccount } from '../support/accounts.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { AUDIENCE, startIdentityProvider } from '../support/identity-provider.ts';
import { type ObservedServer, startObserved } from '../support/metrics.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { startReceiver, WEBHOOK_SECRET } from '../support/webhooks.ts';

const ADA = 'ada@example.com';

/** The series that only the database knows. */
const FIGURES = [
  'rollcall_migrations_pending',
  'rollcall_feed_lag_seconds',
  'rollcall_erasures_due',
  'rollcall_erasure_overdue_seconds',
  'rollcall_webhook_backlog',
  'rollcall_webhook_oldest_seconds',
  'rollcall_webhook_parked',
];

describe('what the database tells the metrics', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let wire: DatabaseProxy;
  let server: ObservedServer | undefined;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
  });

  afterEach(async () => {
    await server?.end('SIGKILL');
    server = undefined;
    await wire.close();
    await database.drop();
  });

  const start = async (env: NodeJS.ProcessEnv = {}): Promise<ObservedServer> => {
    server = await startObserved({ DATABASE_URL: wire.url, INITIAL_ADMINS: ADA, ...env });
    return server;
  };
  /** Waits until a series has this value: figures may be five seconds old. */
  const shows = ({ scrape }: ObservedServer, name: string, isRight: (value: number) => boolean) =>
    until(name, async () => {
      const value = (await scrape()).value(name);
      return value !== undefined && isRight(value);
    });
  const report = async ({ operators }: ObservedServer) => {
    const response = await fetch(`${operators}/readyz?verbose`);
    return { status: response.status, report: (await response.json()) as Report };
  };

  it('is asked once for all who scrape, and not again for five seconds', async () => {
    const { scrape } = await start();
    await scrape();
    await delay(MAX_AGE_MS + 500);
    wire.reset();
    const began = performance.now();
    const scrapes = await Promise.all(Array.from({ length: 30 }, scrape));
    for (const { value } of scrapes) expect(value('rollcall_database_up')).to.equal(1);
    await scrape();
    // On its connection alone: the process does other things by itself.
    const rounds = 1 + Math.floor((performance.now() - began) / MAX_AGE_MS);
    expect(wire.statements('rollcall metrics')).to.be.within(1, 4 * rounds);
  });

  it('shows a change that the feed holds back, and since when', async () => {
    const observed = await start();
    await shows(observed, 'rollcall_feed_lag_seconds', (seconds) => seconds === 0);
    const writer = await database.connect();
    await writer.query(`begin; select pg_current_xact_id()`);
    await addAccount(database, 'byron@example.com');
    await database.query(`update changes set at = now() - interval '2 minutes'`);
    await shows(observed, 'rollcall_feed_lag_seconds', (seconds) => seconds > 100);
    const { status, report: held } = await report(observed);
    expect([status, held.status, held.checks.feed.state]).to.deep.equal([200, 'ready', 'degraded']);
    expect(held.checks.feed.reason).to.match(
      /^a transaction holds changes back that are up to 1[23]\d s old$/,
    );
    await writer.query('commit');
    await shows(observed, 'rollcall_feed_lag_seconds', (seconds) => seconds === 0);
    expect((await report(observed)).report.checks.feed.state).to.equal('ok');
  });

  it('shows the backlog of a webhook, its age, and whether it has given up', async () => {
    const receiver = await startReceiver();
    await receiver.stop();
    const observed = await start({
      WEBHOOKS_ALLOW_PRIVATE: 'true',
      WEBHOOKS: JSON.stringify([{ name: 'crm', url: receiver.url, secret: WEBHOOK_SECRET }]),
    });
    for (const name of ['byron', 'grace']) await addAccount(database, `${name}@example.com`);
    await shows(observed, 'rollcall_webhook_backlog', (changes) => changes === 2);
    expect((await observed.scrape()).text).to.match(/^rollcall_webhook_backlog\{webhook="crm"\} 2$/m);
    // The changes of a test were made long ago.
    await shows(observed, 'rollcall_webhook_oldest_seconds', (seconds) => seconds > 3_600);
    const retrying = await until('a retry', async () => {
      const { crm } = (await report(observed)).report.checks.webhooks;
      return crm?.state === 'degraded' ? crm : undefined;
    });
    expect(retrying.reason).to.match(/^retrying after \d attempts?; 2 changes behind, by \d+ s$/);

    await database.query('update webhooks set parked_at = now()');
    await shows(observed, 'rollcall_webhook_parked', (parked) => parked === 1);
    const { status, report: parked } = await report(observed);
    expect([status, parked.checks.webhooks['crm']?.state]).to.deep.equal([200, 'failing']);
    expect(JSON.stringify(parked)).not.to.include(WEBHOOK_SECRET).and.not.to.include(receiver.url);
  });

  it('shows erasures that are due, and for how long', async () => {
    const { id } = await addAccount(database, 'byron@example.com');
    const gone = await addAccount(database, 'grace@example.com');
    // The one of these that was restored is not due.
    for (const userId of [id, gone.id]) {
      await database.query(
        `insert into changes (at, actor, user_id, action, before, fields, version)
         values (now() - interval '26 hours', 'test', $1, 'deleted', '{}', '{}', 2)`,
        [userId],
      );
    }
    await database.query('delete from users where id = $1', [gone.id]);
    // The eraser passes over what another session has locked.
    const locker = await database.connect();
    await locker.query(`begin; select from changes where action = 'deleted' for update`);
    const observed = await start({ ERASE_AFTER_DAYS: '1' });
    await shows(observed, 'rollcall_erasures_due', (accounts) => accounts === 1);
    await shows(
      observed,
      'rollcall_erasure_overdue_seconds',
      (seconds) => seconds > 7_000 && seconds < 8_000,
    );
  });

  it('shows pending migrations, and that the process is not ready', async () => {
    const observed = await start();
    await shows(observed, 'rollcall_migrations_pending', (count) => count === 0);
    const before = await report(observed);
    expect([before.status, before.report.status, before.report.phase]).to.deep.equal([200, 'ready', 'ready']);
    const [removed] = await database.query<{ name: string }>(
      'delete from rollcall_migrations where id = 1 returning name',
    );
    await shows(observed, 'rollcall_migrations_pending', (count) => count === 1);
    const { status, report: pending } = await report(observed);
    expect([status, pending.status, pending.checks.database.state]).to.deep.equal([503, 'not_ready', 'ok']);
    expect(pending.checks.migrations).to.include({ state: 'failing', reason: `pending: ${removed?.name}` });
    const short = await fetch(`${observed.operators}/readyz`);
    expect([short.status, await short.json()]).to.deep.equal([503, { status: 'not_ready' }]);
  });

  it('is absent while the database is gone, and comes back with it', async () => {
    const observed = await start({
      WEBHOOKS_ALLOW_PRIVATE: 'true',
      WEBHOOKS: JSON.stringify([{ name: 'crm', url: 'http://127.0.0.1:9/', secret: WEBHOOK_SECRET }]),
    });
    const up = await observed.scrape();
    expect(up.value('rollcall_database_up')).to.equal(1);
    for (const name of FIGURES) expect(up.value(name), name).to.be.a('number');
    const { since } = (await report(observed)).report.checks.database;

    await wire.cut();
    await shows(observed, 'rollcall_database_up', (isUp) => isUp === 0);
    const down = await observed.scrape();
    expect(down.status).to.equal(200);
    for (const name of FIGURES) expect(down.value(name), name).to.equal(undefined);
    expect(down.value('rollcall_http_requests_in_flight')).to.equal(0);
    const { status, report: gone } = await report(observed);
    expect(status).to.equal(503);
    expect(gone.checks.database.state).to.equal('failing');
    expect(gone.checks.database.reason).to.be.a('string').and.not.include('postgres://');
    expect(gone.checks.database.since > since).to.equal(true);
    expect(gone.checks.migrations.state).to.equal('unknown');
    expect((await fetch(`${observed.operators}/healthz`)).status).to.equal(200);

    await wire.mend();
    await shows(observed, 'rollcall_database_up', (isUp) => isUp === 1);
    expect((await observed.scrape()).value('rollcall_migrations_pending')).to.equal(0);
  });

  it('is waited for two seconds by a scrape, where the network has fallen silent', async () => {
    const observed = await start();
    expect((await observed.scrape()).value('rollcall_database_up')).to.equal(1);
    wire.silence();
    // Nobody waits for longer than Prometheus does; what has been known is served for five seconds.
    await shows(observed, 'rollcall_database_up', (isUp) => isUp === 0);
    const { status, report: silent } = await report(observed);
    expect([status, silent.checks.database.state]).to.deep.equal([503, 'failing']);
  });

  it('is told on a connection of its own, even when no connection of the pool is free', async () => {
    const observed = await start({ DATABASE_POOL_MAX: '2', DATABASE_CONNECT_TIMEOUT_MS: '30000' });
    const locker = await database.connect();
    await locker.query('begin; lock table users in access exclusive mode');
    // Each gives up waiting for the lock after a while, and the next one takes its place.
    let isLocked = true;
    const waiting = Array.from({ length: 6 }, async () => {
      const statuses: number[] = [];
      while (isLocked) statuses.push((await observed.call('/v1/users', { as: ADA })).status);
      return statuses;
    });
    try {
      await shows(observed, 'rollcall_pool_connections', (count) => count === 2);
      await until('the pool is used up', async () => {
        const { value } = await observed.scrape();
        return value('rollcall_pool_connections', { state: 'idle' }) === 0;
      });
      await shows(observed, 'rollcall_database_up', (isUp) => isUp === 1);
      // This one asks the table that is locked; the others are there.
      const { value } = await observed.scrape();
      expect(value('rollcall_migrations_pending')).to.equal(0);
    } finally {
      isLocked = false;
      await locker.query('rollback');
    }
    expect((await Promise.all(waiting)).flat()).to.satisfy((all: number[]) =>
      all.every((status) => [200, 503].includes(status)),
    );
  });

  it('leaves out what a lock keeps it from, and tells the rest', async () => {
    const observed = await start();
    await shows(observed, 'rollcall_erasures_due', (accounts) => accounts === 0);
    const locker = await database.connect();
    await locker.query('begin; lock table rollcall_migrations in access exclusive mode');
    await until(
      'no word of migrations',
      async () => {
        const { value } = await observed.scrape();
        return value('rollcall_migrations_pending') === undefined && value('rollcall_erasures_due') === 0;
      },
      30_000,
    );
    const { value } = await observed.scrape();
    expect(value('rollcall_database_up')).to.equal(1);
    await locker.query('rollback');
    await shows(observed, 'rollcall_migrations_pending', (count) => count === 0);
  });

  it('shows whether the keys of an identity provider can be fetched', async () => {
    const provider = await startIdentityProvider();
    const { issuer } = provider;
    const observed = await start({ AUTH_ISSUER: issuer, AUTH_AUDIENCE: AUDIENCE });
    const standing = async () => (await report(observed)).report.checks.providers[issuer];
    expect(await standing()).to.include({ state: 'unknown', reason: 'no token of it has come yet' });
    const headers = {
      Authorization: `Bearer ${await provider.token({ claims: { email: ADA, email_verified: true } })}`,
    };
    await provider.goDown();
    expect((await observed.call('/v1/me', { headers })).status).to.equal(503);
    const failing = await standing();
    expect(failing).to.include({
      state: 'failing',
      reason: 'its keys cannot be fetched; the log has the reason',
    });
    const down = await observed.scrape();
    expect(down.value('rollcall_provider_key_fetches_total', { issuer, result: 'failed' })).to.equal(1);
    expect(
      down.value('rollcall_sign_ins_refused_total', { cause: 'identity_provider_unavailable' }),
    ).to.equal(1);
    await provider.comeBack();
    // It is not asked again for ten seconds.
    await until('a sign-in', async () => (await observed.call('/v1/me', { headers })).status === 200, 20_000);
    const working = await standing();
    expect(working).to.have.all.keys('state', 'since').and.include({ state: 'ok' });
    expect(`${working?.since}` > `${failing?.since}`).to.equal(true);
    await provider.close();
  });
});

describe('metrics of a standby', function () {
  this.timeout(120_000);

  it('count it as no database, until it is the primary', async () => {
    const primary = await startPostgres();
    const standby = await startPostgres({ primary });
    const url = `postgres://postgres@127.0.0.1:${standby.port}/postgres`;
    const limits = { poolMax: 2, connectTimeoutMs: 3_000, statementTimeoutMs: 10_000 };
    const side = sideConnection({ url, ...limits }, 'direct', { name: 'rollcall metrics', limitMs: 2_000 });
    const readiness = readinessCheck({ url, ...limits }, 'direct', []);
    const figures = figuresSource(side, { readiness, webhooks: [], eraseAfterDays: 30 });
    const registry = new Registry();
    const show = databaseSeries(registry);
    const isUp = async () => {
      show(await figures());
      return (await registry.getSingleMetric('rollcall_database_up')?.get())?.values[0]?.value;
    };
    expect(await isUp()).to.equal(0);
    const checks = new Checks();
    const options = {
      lifecycle: { phase: 'ready' },
      start: new StartProgress().state,
      feed: { isFailing: false },
      issuers: [],
      webhooks: [],
    } as const;
    const { status, checks: found } = checks.report(options, await figures());
    expect([status, found.database.reason]).to.deep.equal([
      'not_ready',
      'The server is a read-only standby: point DATABASE_URL to the primary.',
    ]);
    await standby.query('select pg_promote()');
    await until('a primary', async () => (await isUp()) === 1);
    await readiness.close();
    await side.close();
    await standby.remove();
    await primary.remove();
  });
});
