import { expect } from 'chai';
import type { ObservedServer } from './support/metrics.ts';
import { type PostgresServer, startPostgres } from './support/postgres-server.ts';
import { type DatabaseProxy, startProxy } from './support/proxy.ts';
import { pauseReplay, resumeReplay, startReading, urlOf, usesOf } from './support/read-replicas.ts';
import { type Pair, startPair } from './support/replication.ts';
import { until } from './support/until.ts';

const ADA = 'ada@example.com';

const GONE =
  'read replica left out, it cannot be read; reading from the primary; check that server, and its URL in DATABASE_REPLICA_URLS';
const UNFIT =
  'read replica left out, it is no standby of this primary; reading from the primary; name standbys alone in DATABASE_REPLICA_URLS';
const LATE =
  'read replica left out, it lags; reading from the primary; see what holds up its replay, or raise DATABASE_REPLICA_MAX_LAG_MS';

/** Enough accounts for an export that is not sent at once. */
const MANY = 60_000;

describe('a read replica', function () {
  this.timeout(120_000);

  let pair: Pair;
  let wire: DatabaseProxy;
  let server: ObservedServer;

  beforeEach(async () => {
    pair = await startPair();
    wire = await startProxy(urlOf(pair.standby));
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await wire.close();
    await pair.remove();
  });

  const start = async (env: NodeJS.ProcessEnv = {}, replicas = [wire.url], used = 1) => {
    server = await startReading(urlOf(pair.primary), replicas, { INITIAL_ADMINS: ADA, ...env }, used);
  };
  const add = (email: string) => pair.primary.query(`insert into users (email) values ('${email}')`);
  const emails = async () => {
    const response = await server.call('/v1/users?limit=200', { as: ADA });
    expect(response.status).to.equal(200);
    const { items } = (await response.json()) as { items: { email: string }[] };
    return items.map(({ email }) => email);
  };
  const saidOf = (message: string) => server.lines.filter(({ msg }) => msg === message);
  const checks = async (path = '?verbose') => {
    const response = await fetch(`${server.operators}/readyz${path}`);
    const report = (await response.json()) as {
      status: string;
      checks: { replicas: Record<string, { state: string; reason?: string }> };
    };
    return { status: response.status, replicas: report.checks?.replicas };
  };
  const used = async () => (await server.scrape()).value('rollcall_replica_used', { replica: '1' });
  /** Waits until the replica answers, which lacks this account: a check that takes too long leaves it out for a moment. */
  const lacks = (email: string) =>
    until('an answer of the replica', async () => !(await emails()).includes(email));
  /** Waits until the replica is used anew, since it was used `before` times. */
  const usedAgain = (before: number) => until('the replica', () => usesOf(server) > before);

  it('that lags more than it may is left out until it has caught up, and is said so once', async () => {
    await start({ DATABASE_REPLICA_MAX_LAG_MS: '4000' });
    await until('its use', async () => (await checks()).replicas['1']?.state === 'ok');
    expect(await checks()).to.deep.include({ status: 200 });
    await until('its use', async () => (await used()) === 1);
    expect((await server.scrape()).value('rollcall_replica_lag_seconds', { replica: '1' })).to.be.below(4);
    await pauseReplay(pair.standby);
    await add('late@example.com');
    await lacks('late@example.com');
    await until('the primary', async () => (await emails()).includes('late@example.com'));
    await server.said(LATE);
    const { status, replicas } = await checks();
    expect(status).to.equal(200);
    expect(replicas['1']).to.include({ state: 'degraded' });
    expect(replicas['1']?.reason).to.match(/^left out: it lags \d+\.\d s or more$/);
    expect(await used()).to.equal(0);
    expect((await server.scrape()).value('rollcall_replica_lag_seconds', { replica: '1' })).to.be.above(4);
    expect((await fetch(`${server.url}/readyz`)).status).to.equal(200);
    await add('later@example.com');
    expect(await emails()).to.include('later@example.com');
    expect(saidOf(LATE)).to.have.length(1);

    const before = usesOf(server);
    await resumeReplay(pair.standby);
    await usedAgain(before);
    await until('its use', async () => (await used()) === 1);
  });

  it('that falls silent, or is gone, is left out: reads begin again on the primary', async () => {
    await start();
    await pauseReplay(pair.standby);
    await add('new@example.com');
    await lacks('new@example.com');

    wire.silence('answers');
    const [listed, file] = await Promise.all([
      emails(),
      server.call('/v1/users/export', { as: ADA }).then((response) => response.text()),
    ]);
    expect(listed).to.include('new@example.com');
    expect(file).to.include('new@example.com');
    await server.said(GONE);
    await wire.cut();
    expect(await emails()).to.include('new@example.com');
    expect((await fetch(`${server.url}/readyz`)).status).to.equal(200);
    expect(saidOf(GONE)).to.have.length(1);
    expect(JSON.stringify(server.lines)).not.to.include('"stack"');

    const before = usesOf(server);
    await wire.mend();
    await usedAgain(before);
    await lacks('new@example.com');
    // In use, and gone before the next check.
    await wire.cut();
    expect(await emails()).to.include('new@example.com');
  });

  it('that is gone in the middle of an export breaks it off, as the database does', async () => {
    await start();
    await pair.primary.query(
      `insert into users (email, name) select n || '@example.com', repeat('x', 200) from generate_series(1, ${MANY}) as n`,
    );
    await pair.caughtUp();
    // One that begins while the replica is late is read from the primary.
    const reader = await until('an export of the replica', async () => {
      const response = await server.call('/v1/users/export', { as: ADA });
      const begun = response.body?.getReader();
      expect((await begun?.read())?.value?.length).to.be.greaterThan(0);
      const reading = await pair.standby.query(
        `select from pg_stat_activity where application_name = 'rollcall' and state <> 'idle'`,
      );
      if (reading.length === 1) return begun;
      await begun?.cancel();
      return undefined;
    });
    await wire.cut();
    const rest = async () => {
      for (;;) if ((await reader.read()).done) return 'whole';
    };
    expect(await rest().catch(() => 'broken')).to.equal('broken');
    expect(await emails()).to.have.length(200);
  });

  it('that becomes a primary is left out at once', async () => {
    await start();
    await pair.promote();
    await server.said(UNFIT);
    await add('new@example.com');
    expect(await emails()).to.include('new@example.com');
    const reason = 'it is a primary, and not the one of DATABASE_URL';
    expect(saidOf(UNFIT).map((line) => line['reason'])).to.deep.equal([reason]);
    expect((await checks()).replicas['1']).to.include({ state: 'degraded', reason: `left out: ${reason}` });
  });

  it('that does not answer at the start is used once it does, and until then nobody waits for it', async () => {
    await wire.cut();
    await start({}, [wire.url], 0);
    expect(await emails()).to.deep.equal([ADA]);
    expect((await server.said(GONE))['reason']).to.match(/ECONNREFUSED/);
    await wire.mend();
    await until('the replica', () => usesOf(server) === 1);
  });

  it('is one of several: the others are used while it is left out', async () => {
    const second = await startPostgres({ primary: pair.primary });
    try {
      await start({}, [wire.url, urlOf(second)], 2);
      await pauseReplay(second);
      await add('new@example.com');
      await pair.caughtUp();
      /** Whether exactly this many of several lists are of the first replica, or of the primary. */
      const areFresh = async (count: number, lists: number) => {
        const shown = await Promise.all(Array.from({ length: lists }, emails));
        return shown.filter((list) => list.includes('new@example.com')).length === count;
      };
      await until('both replicas', () => areFresh(2, 4));
      await wire.cut();
      await server.said(GONE);
      await until('the second replica', () => areFresh(0, 2));
    } finally {
      await second.remove();
    }
  });

  it('that does not follow the server which took over is left out, whatever it has', async () => {
    const follower = await startPostgres({ primary: pair.primary });
    const address = await startProxy(urlOf(pair.primary));
    try {
      server = await startReading(address.url, [wire.url, urlOf(follower)], { INITIAL_ADMINS: ADA });
      await add('kept@example.com');
      await pair.separate();
      // The server that takes over never gets it.
      await add('lost@example.com');
      await until('the follower', async () => {
        return (await follower.query("select from users where email like 'lost%'")).length > 0;
      });
      await pair.primary.stop();
      await pair.promote();
      await address.cut();
      address.lead(urlOf(pair.standby));
      await address.mend();
      let tries = 0;
      const answer = await until('a write', async () => {
        const response = await server.call('/v1/users', {
          method: 'POST',
          as: ADA,
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ email: `fresh${++tries}@example.com` }),
        });
        return response.status === 201 ? response : undefined;
      });
      const bookmark = answer.headers.get('rollcall-bookmark') ?? '';
      const { email } = (await answer.json()) as { email: string };
      await server.said(LATE);
      const reason = 'it has not seen the last change of the primary';
      expect(saidOf(LATE)[0]).to.include({ replica: 2, reason });
      const { replicas } = await checks();
      expect(replicas['1']).to.include({ state: 'ok', reason: 'left out: it is the primary' });
      expect(await emails())
        .to.include(email)
        .and.not.include('lost@example.com');
      const headers = { 'Rollcall-Bookmark': bookmark };
      const marked = await server.call('/v1/users', { as: ADA, headers });
      expect(await marked.text()).to.include(email);
    } finally {
      await address.close();
      await follower.remove();
    }
  });

  it('of another cluster is never used, nor is the primary, which is no fault', async () => {
    const foreign = await startPair();
    try {
      await foreign.primary.query('create table feed_epochs (id text, number int)');
      await foreign.primary.query('create table changes ()');
      await foreign.caughtUp();
      await start({}, [urlOf(foreign.standby), urlOf(pair.primary), wire.url]);
      await server.said(UNFIT);
      const { reason, replica } = await server.said(UNFIT);
      expect({ replica, reason }).to.deep.equal({ replica: 1, reason: 'it belongs to another cluster' });
      expect(await server.said('read replica left out')).to.include({ level: 30, replica: 2 });
      const { replicas } = await checks();
      expect(Object.values(replicas).map(({ state }) => state)).to.deep.equal(['degraded', 'ok', 'ok']);
      const { value } = await server.scrape();
      const usedBy = [1, 2, 3].map((number) => value('rollcall_replica_used', { replica: `${number}` }));
      expect(usedBy).to.deep.equal([0, undefined, 1]);
      expect(await emails()).to.deep.equal([ADA]);
      expect(usesOf(server)).to.equal(1);
    } finally {
      await foreign.remove();
    }
  });
});

describe('without read replicas', function () {
  this.timeout(120_000);

  let primary: PostgresServer;
  before(async () => {
    primary = await startPostgres();
  });
  after(() => primary.remove());

  it('there is no bookmark, and no connection more', async () => {
    const server = await startReading(urlOf(primary), [], { INITIAL_ADMINS: ADA });
    try {
      const response = await server.call('/v1/me', {
        method: 'PATCH',
        as: ADA,
        headers: { 'Content-Type': 'application/json', 'Rollcall-Bookmark': '000000000000-1' },
        body: JSON.stringify({ name: 'Ada' }),
      });
      expect(response.status).to.equal(200);
      expect(response.headers.get('rollcall-bookmark')).to.equal(null);
      const rows = await primary.query(
        `select from pg_stat_activity where application_name like 'rollcall replica%'`,
      );
      expect(rows).to.deep.equal([]);
      expect((await server.scrape()).value('rollcall_replica_used')).to.equal(undefined);
    } finally {
      await server.end('SIGTERM');
    }
  });
});
