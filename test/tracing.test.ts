import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { expect } from 'chai';
import { signHs256 } from '../src/security/hmac.ts';
import { queryText } from '../src/tracing/query-text.ts';
import { addAccount } from './support/accounts.ts';
import { SECRET } from './support/app.ts';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { runDirectory } from './support/run-directory.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = 'node_modules/.cache/rollcall-traced';
const ADA = 'ada@example.com';
const PATCH = { method: 'PATCH', headers: { 'Content-Type': 'application/merge-patch+json' } };

/** An exporter that prints the name of the service and of each span. */
const EXPORTER = `
  export class OTLPTraceExporter {
    export(spans, done) {
      for (const { name, resource } of spans) console.log(resource.attributes['service.name'] + ': ' + name);
      done({ code: 0 });
    }
    async shutdown() {}
  }`;

/** A span, as `support/otel.ts` prints it. */
interface PrintedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: SpanStatusCode;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string;
  /** The ids of the spans that it is linked to. */
  readonly links: readonly string[];
}

describe('a build with a preloaded OpenTelemetry SDK', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let server: ServerProcess;
  let url: string;

  before(async () => {
    const env = { ...process.env, OUT };
    const { status, stderr } = spawnSync('npm', ['run', 'build'], { cwd: ROOT, env, encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    database = await createMigratedDatabase();
    await addAccount(database, ADA, { role: 'admin' });
    await addAccount(database, 'grace@example.com');
    server = startServer(
      { DATABASE_URL: database.url, NODE_OPTIONS: `--import=${join(ROOT, 'test/support/otel.ts')}` },
      `${OUT}/server.js`,
    );
    url = await server.ready();
  });

  after(async () => {
    await server.end('SIGTERM');
    await database.drop();
  });

  it('sends all spans under the name of the service with the file in the documentation, also those before the end', async () => {
    const folder = mkdtempSync(join(runDirectory(), 'otel-'));
    const packages = join(folder, 'node_modules/@opentelemetry');
    const exporter = join(packages, 'exporter-trace-otlp-proto');
    mkdirSync(exporter, { recursive: true });
    for (const name of ['resources', 'sdk-trace-node'])
      symlinkSync(join(ROOT, 'node_modules/@opentelemetry', name), join(packages, name));
    // What leaves the building.
    writeFileSync(join(exporter, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
    writeFileSync(join(exporter, 'index.js'), EXPORTER);
    const [, example = ''] =
      /^```js\n(.*?)^```/ms.exec(readFileSync(join(ROOT, 'docs/logs.md'), 'utf8')) ?? [];
    writeFileSync(join(folder, 'otel.mjs'), example);
    const documented = startServer(
      {
        DATABASE_URL: database.url,
        OTEL_SERVICE_NAME: 'accounts',
        NODE_OPTIONS: `--import=${join(folder, 'otel.mjs')}`,
      },
      `${OUT}/server.js`,
    );
    expect((await fetch(`${await documented.ready()}/v1/me`)).status).to.equal(401);
    expect(await documented.end('SIGTERM')).to.equal(0);
    expect(documented.output).to.include('accounts: GET /v1/me');
    rmSync(folder, { recursive: true });
  });

  /** Calls in a trace of the caller's own. Returns the spans of that trace, all of which have ended. */
  const traced = async (path: string, init: RequestInit = {}) => {
    const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${await signHs256(SECRET, ADA, '1h')}`);
    headers.set('traceparent', `00-${traceId}-${spanId}-01`);
    headers.set('User-Agent', 'test/1');
    const response = await fetch(new URL(path, url), { ...init, headers });
    await response.text();
    const all = () =>
      server.lines.filter(
        (line) => line.msg === 'span' && line['traceId'] === traceId,
      ) as unknown as PrintedSpan[];
    const request = await until('the span of the request', () =>
      all().find(({ kind }) => kind === SpanKind.SERVER),
    );
    const childrenOf = ({ spanId }: PrintedSpan) => all().filter(({ parentId }) => parentId === spanId);
    return { response, traceId, callerId: spanId, request, all: all(), childrenOf };
  };

  it('has a span of each request that continues the trace of its caller, with stable attributes', async () => {
    const { request, callerId, response } = await traced('/v1/users/2');
    expect(request).to.include({
      name: 'GET /v1/users/:id',
      parentId: callerId,
      status: SpanStatusCode.UNSET,
    });
    expect(request.attributes).to.deep.include({
      'http.request.method': 'GET',
      'http.route': '/v1/users/:id',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'url.path': '/v1/users/2',
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(url).port),
      'user_agent.original': 'test/1',
      'rollcall.request_id': response.headers.get('x-request-id'),
    });
  });

  it('has the unit of work in the request, and its statements in that', async () => {
    const { request, childrenOf } = await traced('/v1/me');
    const [unit, ...others] = childrenOf(request);
    expect(others).to.deep.equal([]);
    expect(unit).to.include({ name: 'unit of work', kind: SpanKind.INTERNAL });
    expect(unit?.attributes).to.deep.equal({ 'rollcall.unit.is_replay': false });
    const [statement, ...more] = childrenOf(unit as PrintedSpan);
    expect(more).to.deep.equal([]);
    expect(statement).to.include({ kind: SpanKind.CLIENT });
    const { hostname, port, pathname } = new URL(database.url);
    expect(statement?.attributes).to.deep.include({
      'db.system.name': 'postgresql',
      'db.namespace': pathname.slice(1),
      'db.operation.name': 'SELECT',
      'server.address': hostname,
      'server.port': Number(port),
    });
    expect(statement?.attributes['db.query.text']).to.match(/^\s*select/i);
  });

  it('has the flush of a write in its unit of work, with the statement that writes', async () => {
    const { request, childrenOf, response, all } = await traced('/v1/me/preferences', {
      ...PATCH,
      body: '{"theme":"a secret value"}',
    });
    expect(response.status).to.equal(200);
    const [unit] = childrenOf(request);
    const flush = childrenOf(unit as PrintedSpan).find(({ name }) => name === 'flush');
    const statements = childrenOf(flush as PrintedSpan);
    expect(statements.map(({ kind }) => kind)).to.deep.equal([SpanKind.CLIENT]);
    expect(statements[0]?.attributes).to.include({ 'db.operation.name': 'UPDATE' });
    expect(JSON.stringify(all)).not.to.include('a secret value');
  });

  it('has all statements of a transaction, without their values', async () => {
    const { response, all } = await traced('/v1/users/2?dryRun=true', {
      ...PATCH,
      headers: { 'Content-Type': 'application/json' },
      body: `{"name":"O'Secret \\\\' value 4711"}`,
    });
    expect(response.status).to.equal(200);
    const texts = all.flatMap(({ attributes }) => (attributes['db.query.text'] as string | undefined) ?? []);
    expect(texts.length).to.be.above(2);
    expect(texts.join('\n'))
      .to.match(/^start transaction/m)
      .and.match(/update .*users/i)
      .and.match(/rollback/i);
    expect(JSON.stringify(all)).not.to.match(/Secret|4711/);
  });

  it('has the kind of a failure and not its text', async () => {
    const blocker = await database.connect();
    await blocker.query('begin; lock table changes');
    const running = traced('/v1/users/2', {
      ...PATCH,
      headers: { 'Content-Type': 'application/json' },
      body: '{"name":"Hidden"}',
    });
    let hasEnded = false;
    const end = () => {
      hasEnded = true;
    };
    running.then(end, end);
    await until('its end', async () => {
      await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return hasEnded;
    });
    const { response, request, all } = await running;
    await blocker.query('rollback');
    expect(response.status).to.equal(503);
    expect(request).to.include({ status: SpanStatusCode.ERROR });
    expect(request.attributes).to.include({ 'http.response.status_code': 503, 'error.type': '503' });
    const failed = all.filter(
      ({ kind, status }) => kind === SpanKind.CLIENT && status === SpanStatusCode.ERROR,
    );
    const codes = failed.map(({ attributes }) => attributes['db.response.status_code']);
    // Others may fail too: the first attempt, which waits for a moment only, and what was sent behind the statement.
    expect(codes).to.include('57P01');
    expect(JSON.stringify(all)).not.to.include('Hidden');
  });

  it('does not call a refusal a failure', async () => {
    const { request, all } = await traced('/v1/users/999999');
    expect(request.attributes).to.include({ 'http.response.status_code': 404 });
    expect(all.map(({ status }) => status)).not.to.include(SpanStatusCode.ERROR);
    const unit = all.find(({ name }) => name === 'unit of work');
    expect(unit?.attributes).to.include({ 'error.type': 'not_found' });
  });

  it('has the ids of the span in the log lines of the request', async () => {
    const { request, response, traceId } = await traced('/v1/nothing?access_token=secret');
    const requestId = response.headers.get('x-request-id');
    const line = await until('the access log', () =>
      server.lines.find((line) => line.msg === 'request' && line['requestId'] === requestId),
    );
    expect(line).to.include({ trace_id: traceId, span_id: request.spanId, status: 404 });
    expect(request).to.include({ name: 'GET' });
    expect(JSON.stringify(request)).not.to.include('secret');
  });

  it('keeps requests apart that are served at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => traced('/v1/history?limit=1')));
    for (const { request, callerId, childrenOf } of all) {
      expect(request).to.include({ parentId: callerId });
      const [unit, ...others] = childrenOf(request);
      expect(others).to.deep.equal([]);
      const names = childrenOf(unit as PrintedSpan).map(({ kind }) => kind);
      expect(names).to.include(SpanKind.CLIENT);
    }
  });

  it('links a statement that several requests share to each of them', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, () => traced('/v1/me')));
    const statements = server.lines.filter(({ msg, kind }) => msg === 'span' && kind === SpanKind.CLIENT);
    const reached = new Set(
      (statements as unknown as PrintedSpan[]).flatMap(({ parentId, links }) => [parentId, ...links]),
    );
    expect((statements as unknown as PrintedSpan[]).some(({ links }) => links.length > 0)).to.equal(true);
    for (const { request, childrenOf } of all) {
      const [unit] = childrenOf(request);
      expect(reached.has(unit?.spanId)).to.equal(true);
    }
  });

  it('has no span of anything that no request asked for', async () => {
    const spans = server.lines.filter(({ msg }) => msg === 'span') as unknown as PrintedSpan[];
    const roots = spans.filter(({ parentId }) => parentId === undefined);
    expect(roots).to.deep.equal([]);
  });
});

describe('the text of a statement in a trace', () => {
  for (const [text, expected] of [
    [`select * from users where email = 'a''b' limit 50`, 'select * from users where email = ? limit ?'],
    [
      `update users set name = E'it\\'s \\\\', version = 2.5 where id = 7`,
      'update users set name = ?, version = ? where id = ?',
    ],
    ['select $tag$ secret $tag$, $$x$$, u0.id from t1 as u0', 'select ?, ?, u0.id from t1 as u0'],
    [
      `select "u0"."id" as "c1" from "users" as "u0" where "u0"."id" in (1, 2)`,
      'select "u0"."id" as "c1" from "users" as "u0" where "u0"."id" in (?, ?)',
    ],
  ] as const) {
    it(`has no values: ${expected}`, () => expect(queryText(text, false)).to.equal(expected));
  }

  it('keeps the names of parameters, and is bounded', () => {
    expect(queryText(`select $1, 'constant'`, true)).to.equal(`select $1, 'constant'`);
    expect(queryText(`select '${'x'.repeat(9_000)}', $1${', a'.repeat(3_000)}`, false)).to.have.length(2_000);
  });
});
