import { PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { gcSeries } from '../../src/metrics/gc-series.ts';
import { CAUSES, LIMITS } from '../../src/metrics/request-series.ts';
import { addAccount } from '../support/accounts.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { openStream } from '../support/event-stream.ts';
import { type ObservedServer, startObserved } from '../support/metrics.ts';
import { closed, dial, sendRaw } from '../support/raw-http.ts';
import { startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';
const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('the metrics', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let server: ObservedServer;

  before(async () => {
    database = await createMigratedDatabase();
    server = await startObserved({
      DATABASE_URL: database.url,
      INITIAL_ADMINS: ADA,
      RATE_LIMIT_FAILURES: '3',
      RATE_LIMIT_REQUESTS: '1000',
      RATE_LIMIT_HISTORY_BYTES: '2048',
    });
  });

  after(async () => {
    expect(await server.end('SIGTERM')).to.equal(0);
    await database.drop();
  });

  /** How much a series grows while something happens. */
  const growth = async (name: string, labels: Record<string, string>, work: () => Promise<unknown>) => {
    const before = (await server.scrape()).value(name, labels) ?? 0;
    await work();
    // A request has ended once its connection knows that, which is a moment after its answer.
    return until(
      `${name} ${JSON.stringify(labels)}`,
      async () => ((await server.scrape()).value(name, labels) ?? 0) - before,
    );
  };
  const requests = 'rollcall_http_requests_total';
  const inFlight = 'rollcall_http_requests_in_flight';
  const nothingInFlight = () =>
    until('nothing in flight', async () => (await server.scrape()).value(inFlight) === 0);
  /** Resolves once a request waits for a lock. A scrape would too, for a moment. */
  const someoneWaits = () =>
    until('a request that waits', async () => {
      const waiting = `select from pg_stat_activity
                        where datname = current_database() and application_name = 'rollcall' and wait_event_type = 'Lock'`;
      return (await database.query(waiting)).length > 0;
    });

  it('are text in the format of Prometheus, and are not kept by caches', async () => {
    const response = await fetch(`${server.operators}/metrics`);
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(response.headers.get('cache-control')).to.equal('no-store');
    const { text, names } = await server.scrape();
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(text).to.match(new RegExp(`^# HELP ${name} \\S.*$`, 'm'));
  });

  it('count requests by route, method and status, and how long they took', async () => {
    const route = '/v1/users/:id';
    const { id } = await addAccount(database, 'byron@example.com');
    const found = { method: 'GET', route, status: '200' };
    expect(await growth(requests, found, () => server.call(`/v1/users/${id}`, { as: ADA }))).to.equal(1);
    const missing = { method: 'GET', route, status: '404' };
    expect(await growth(requests, missing, () => server.call('/v1/users/7654321', { as: ADA }))).to.equal(1);
    const { value, text } = await server.scrape();
    const duration = 'rollcall_http_request_duration_seconds';
    expect(value(`${duration}_count`, { method: 'GET', route })).to.equal(2);
    expect(value(`${duration}_bucket`, { method: 'GET', route, le: '+Inf' })).to.equal(2);
    expect(value(`${duration}_sum`, { method: 'GET', route })).to.be.within(0.0001, 60);
    // No id, no path of a caller.
    expect(text).not.to.include('7654321');
  });

  it('count what is no path of ours under one route, whatever strangers send', async () => {
    const unmatched = { route: 'unmatched' };
    const paths = Array.from({ length: 50 }, (_, n) => `/v1/${n}/${Math.random()}`);
    const grown = await growth(requests, { ...unmatched, status: '404' }, async () => {
      for (const path of paths) await (await server.call(path)).text();
    });
    expect(grown).to.be.within(1, 50);
    await until('all', async () => ((await server.scrape()).value(requests, unmatched) ?? 0) >= 50);
    // Node.js reads more than thirty methods.
    for (const method of ['PROPFIND', 'MKCOL', 'LOCK']) {
      const other = { method: 'other', route: 'unmatched' };
      const send = () => sendRaw(server.url, `${method} /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(await growth(requests, other, send)).to.equal(1);
    }
    const { text } = await server.scrape();
    expect(text).not.to.match(/PROPFIND|MKCOL|LOCK|0\.\d{10,}"/);
    const series = [...text.matchAll(/^rollcall_http_requests_total\{.*route="unmatched"/gm)];
    expect(series.length).to.be.lessThan(10);
  });

  it('count a request that cannot be read', async () => {
    const unreadable = { method: 'other', route: 'unmatched', status: '400' };
    expect(await growth(requests, unreadable, () => sendRaw(server.url, 'nonsense\r\n\r\n'))).to.equal(1);
    expect((await server.scrape()).value('rollcall_problems_total', { code: 'malformed_request' })).to.be.ok;
  });

  it('show the event streams among the requests in flight and the followers, and when they end', async () => {
    const followers = 'rollcall_feed_followers';
    await nothingInFlight();
    const stream = await openStream(server, '/v1/changes', { as: ADA });
    await until('a follower', async () => (await server.scrape()).value(followers) === 1);
    expect((await server.scrape()).value(inFlight)).to.equal(1);
    const ended = { method: 'GET', route: '/v1/changes', status: '200' };
    expect(await growth(requests, ended, async () => stream.close())).to.equal(1);
    await until('no follower', async () => (await server.scrape()).value(followers) === 0);
    await nothingInFlight();
  });

  it('count a request whose caller hung up, and forget it among those in flight', async () => {
    const locker = await database.connect();
    await locker.query('begin; lock table users in access exclusive mode');
    const token = 'GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x.y.z\r\n\r\n';
    const hungUp = { route: '/v1/me', status: '499' };
    const socket = await dial(server.url);
    const grown = await growth(requests, hungUp, async () => {
      const { call } = server;
      const leaving = new AbortController();
      const waiting = call('/v1/me', { as: ADA, signal: leaving.signal }).catch(() => undefined);
      // Two more, one behind the other on one connection.
      socket.write(token + token);
      await someoneWaits();
      leaving.abort();
      socket.destroy();
      await waiting;
    });
    await locker.query('rollback');
    expect(grown).to.equal(1);
    await nothingInFlight();
  });

  it('count refused sign-ins by their cause, and requests over a limit by the limit', async () => {
    const refused = 'rollcall_sign_ins_refused_total';
    const { text } = await server.scrape();
    // From the start, so that the first one is a growth.
    for (const cause of CAUSES) expect(text).to.include(`${refused}{cause="${cause}"}`);
    for (const limit of LIMITS) expect(text).to.include(`rollcall_rate_limited_total{limit="${limit}"}`);

    const none = await growth(refused, { cause: 'no_credentials' }, () => server.call('/v1/me'));
    expect(none).to.equal(1);
    const stranger = () => server.call('/v1/me', { as: 'stranger@example.com' });
    expect(await growth(refused, { cause: 'account_required' }, stranger)).to.equal(1);
    await addAccount(database, 'suspended@example.com');
    await database.query(`update users set status = 'suspended' where email = 'suspended@example.com'`);
    const suspended = () => server.call('/v1/me', { as: 'suspended@example.com' });
    expect(await growth(refused, { cause: 'account_suspended' }, suspended)).to.equal(1);

    const limited = 'rollcall_rate_limited_total';
    const broken = { headers: { Authorization: 'Bearer x.y.z' } };
    const byFailures = await growth(limited, { limit: 'failures' }, async () => {
      for (let n = 0; n < 6; n++) await server.call('/v1/me', broken);
    });
    expect(byFailures).to.be.within(1, 6);
    expect((await server.scrape()).value(refused, { cause: 'invalid_credentials' })).to.be.greaterThan(0);
    await addAccount(database, 'writer@example.com');
    const byHistory = await growth(limited, { limit: 'history' }, async () => {
      const body = JSON.stringify({ text: 'x'.repeat(4_000) });
      for (const method of ['PUT', 'PUT']) {
        await server.call('/v1/me/preferences', {
          as: 'writer@example.com',
          method,
          headers: JSON_TYPE,
          body,
        });
      }
    });
    expect(byHistory).to.be.within(1, 2);
    expect(
      (await server.scrape()).value('rollcall_problems_total', { code: 'rate_limited' }),
    ).to.be.greaterThan(1);
  });

  it('count writes by their way, replays, round trips and look-ups', async () => {
    const flushes = 'rollcall_flushes_total';
    const { id } = await addAccount(database, 'grace@example.com');
    const rename = (query = '') =>
      server.call(`/v1/users/${id}${query}`, {
        as: ADA,
        method: 'PATCH',
        headers: { 'Content-Type': 'application/merge-patch+json' },
        body: JSON.stringify({ name: `Grace ${Math.random()}` }),
      });
    const before = await server.scrape();
    expect(await growth(flushes, { way: 'statement' }, () => rename())).to.equal(1);
    expect(await growth(flushes, { way: 'dry_run' }, () => rename('?dryRun=true'))).to.equal(1);
    const remove = () => server.call('/v1/me', { as: 'grace@example.com', method: 'DELETE' });
    expect(await growth(flushes, {}, remove)).to.equal(1);
    const after = await server.scrape();
    const grown = (name: string) => (after.value(name) ?? 0) - (before.value(name) ?? 0);
    // Each looks up its caller; the account and the write are one more each, at least.
    expect(grown('rollcall_lookup_batch_size_count')).to.be.within(1, 3);
    expect(grown('rollcall_lookup_batch_size_sum')).to.equal(3);
    expect(grown('rollcall_database_round_trips_total')).to.be.within(6, 20);

    const replays = 'rollcall_replays_total';
    const lost = await growth(replays, { reason: 'race' }, async () => {
      for (let round = 0; round < 20; round++) {
        const writes = Array.from({ length: 10 }, (_, n) =>
          server.call('/v1/me', {
            as: ADA,
            method: 'PATCH',
            headers: { 'Content-Type': 'application/merge-patch+json' },
            body: JSON.stringify({ name: `Ada ${round} ${n}` }),
          }),
        );
        await Promise.all(writes);
      }
    });
    expect(lost).to.be.greaterThan(0);

    const met = async () => (await server.scrape()).value(replays, { reason: 'lock' }) ?? 0;
    const others = await met();
    const holder = await database.connect();
    await holder.query(`begin; select from users where email = '${ADA}' for update`);
    const written = server.call('/v1/me', {
      as: ADA,
      method: 'PATCH',
      headers: { 'Content-Type': 'application/merge-patch+json' },
      body: JSON.stringify({ name: 'Ada Lovelace' }),
    });
    await until('it begins again', async () => (await met()) > others);
    await holder.query('rollback');
    expect((await written).status).to.equal(200);
    expect(await met()).to.equal(others + 1);
  });

  it('begin at 0 where an alert looks at their growth', async () => {
    const issuer = 'https://id.example.com';
    const fresh = await startObserved({
      DATABASE_URL: database.url,
      AUTH_ISSUER: issuer,
      AUTH_AUDIENCE: 'web',
      AUTH_SECRET: undefined,
    });
    const { value } = await fresh.scrape();
    expect(value('rollcall_provider_key_fetches_total', { issuer, result: 'failed' })).to.equal(0);
    expect(value('rollcall_provider_key_fetches_total', { issuer, result: 'ok' })).to.equal(0);
    expect(value('rollcall_problems_total', { code: 'overloaded' })).to.equal(0);
    expect(value('rollcall_replays_total', { reason: 'lock' })).to.equal(0);
    expect(await fresh.end('SIGTERM')).to.equal(0);
  });

  it('count every pause of garbage collection, also several in one turn of the event loop', async () => {
    const registry = new Registry();
    gcSeries(registry);
    let pauses = 0;
    let batches = 0;
    const observer = new PerformanceObserver((list) => {
      pauses += list.getEntries().length;
      batches++;
    });
    observer.observe({ entryTypes: ['gc'] });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
    for (let n = 0; n < 5; n++) collect({ type: 'minor' });
    await until('pauses', () => pauses > batches);
    observer.disconnect();
    const text = await registry.metrics();
    const counts = [...text.matchAll(/^nodejs_gc_duration_seconds_count\{kind="(\w+)"\} (\d+)$/gm)];
    expect(counts.reduce((sum, [, , count]) => sum + Number(count), 0)).to.be.at.least(pauses);
    const kinds = counts.map(([, kind]) => kind);
    expect(kinds).to.include('minor').and.not.include('other');
  });

  it('show the process, the build and the pool', async () => {
    const { value, text } = await server.scrape();
    expect(text).to.match(
      /^rollcall_build_info\{version="\d+\.\d+\.\d+",commit="",node="\d+\.\d+\.\d+"\} 1$/m,
    );
    expect(value('rollcall_pool_connections_max')).to.equal(10);
    expect(value('rollcall_pool_connections')).to.be.within(1, 10);
    expect(value('rollcall_pool_waiting')).to.equal(0);
    expect(value('process_resident_memory_bytes')).to.be.greaterThan(30_000_000);
    expect(value('nodejs_eventloop_lag_p99_seconds')).to.be.greaterThan(0);
    expect(value('process_open_fds')).to.be.greaterThan(5);
  });
});

describe('the port for operators', function () {
  this.timeout(120_000);
  let database: TestDatabase;

  before(async () => {
    database = await createMigratedDatabase();
  });

  after(() => database.drop());

  it('answers GET and HEAD on three paths, and nothing that the service answers', async () => {
    const server = await startObserved({ DATABASE_URL: database.url });
    const status = async (path: string, method = 'GET') =>
      (await fetch(`${server.operators}${path}`, { method })).status;
    expect(await status('/healthz')).to.equal(200);
    expect(await status('/metrics', 'HEAD')).to.equal(200);
    const post = await fetch(`${server.operators}/metrics`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD']);
    for (const path of ['/', '/v1/me', '/metrics/', '/toString', '/__proto__', '//metrics']) {
      expect(await status(path), path).to.equal(404);
    }
    // And the other way round.
    expect((await fetch(`${server.url}/metrics`)).status).to.equal(404);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('answers while the process drains, and then lets it end', async () => {
    const server = await startObserved({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '3000' });
    const kept = await dial(server.operators);
    const half = await dial(server.url);
    half.write('GET /healthz HTTP/1.1\r\n');
    // The connection must have been accepted before the signal.
    await server.call('/healthz');
    const ended = server.end('SIGTERM');
    const draining = await until('it drains', async () => {
      const response = await fetch(`${server.operators}/readyz?verbose`);
      const report = (await response.json()) as { phase: string };
      return report.phase === 'draining' ? response : undefined;
    });
    expect(draining.status).to.equal(503);
    expect((await fetch(`${server.operators}/healthz`)).status).to.equal(200);
    const end = closed(kept);
    half.destroy();
    expect(await ended).to.equal(0);
    await end;
  });

  it('has its address checked before anything is migrated', async () => {
    const first = await startObserved({ DATABASE_URL: database.url });
    const { port } = new URL(first.operators);
    const second = startServer({ DATABASE_URL: database.url, METRICS_PORT: port });
    expect(await second.ended()).to.equal(1);
    expect(second.lines.map(({ msg }) => msg)).to.include(
      `Port ${port} of 127.0.0.1 is taken: stop the program that listens there, or set METRICS_PORT to a free one.`,
    );
    expect(second.lines.map(({ msg }) => msg)).not.to.include('admins seeded');
    expect(await first.end('SIGTERM')).to.equal(0);
  });

  it('does not exist without METRICS_PORT', async () => {
    const server = startServer({ DATABASE_URL: database.url });
    const url = await server.ready();
    expect((await fetch(`${url}/metrics`)).status).to.equal(404);
    expect(server.lines.map(({ msg }) => msg)).not.to.include('serving metrics');
    // The last one of the process before takes a moment to end.
    await until('no session for it', async () => {
      const sessions = `select from pg_stat_activity where application_name = 'rollcall metrics'`;
      return (await database.query(sessions)).length === 0;
    });
    expect(await server.end('SIGTERM')).to.equal(0);
  });
});
