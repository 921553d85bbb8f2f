import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import Koa from 'koa';
import type { GivenSettings } from '../config/given.ts';
import { createRollcall } from '../src/koa.ts';
import type { Rollcall } from '../src/koa-types.ts';
import { signHs256 } from '../src/security/hmac.ts';
import { SECRET } from './support/app.ts';
import { createEmptyDatabase, type TestDatabase } from './support/database.ts';
import { openStream } from './support/event-stream.ts';
import { expectProblem } from './support/problem.ts';
import { sendRaw } from './support/raw-http.ts';
import { until } from './support/until.ts';

const ADA = 'ada@example.com';
const OTHER_SECRET = 'another secret for the tests, as long as the first';

describe('createRollcall', function () {
  this.timeout(120_000);

  const databases: TestDatabase[] = [];
  const opened: Rollcall[] = [];
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    await Promise.all(opened.splice(0).map((rollcall) => rollcall.close()));
    await Promise.all(databases.splice(0).map((database) => database.drop()));
  });

  const open = async (given: GivenSettings = {}) => {
    const database = await createEmptyDatabase();
    databases.push(database);
    const rollcall = await createRollcall({
      environment: 'test',
      logLevel: 'silent',
      database: { url: database.url },
      auth: { secret: SECRET },
      initialAdmins: [ADA],
      ...given,
    });
    opened.push(rollcall);
    return rollcall;
  };
  const serve = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    return async (path: string, { as, secret = SECRET, ...init }: Call = {}) => {
      const headers = new Headers(init.headers);
      if (as !== undefined)
        headers.set('Authorization', `Bearer ${await signHs256(secret, as, '1h', 'email')}`);
      return fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers, redirect: 'manual' });
    };
  };

  it('mounts two services in one Koa application, which do not disturb each other', async () => {
    const accounts = await open({ basePath: '/accounts' });
    const people = await open({ basePath: '/people', auth: { secret: OTHER_SECRET } });
    const app = new Koa();
    app.use(async (ctx, next) => {
      ctx.set('X-Host', 'app');
      await next();
    });
    app.use(accounts.middleware);
    app.use(people.middleware);
    app.use((ctx) => {
      if (ctx.path === '/hello') ctx.body = 'hello';
    });
    const call = await serve(app.callback());

    const hello = await call('/hello');
    expect(await hello.text()).to.equal('hello');
    for (const [target, says] of [
      ['http://app.example/people/v1/me', '401 Unauthorized'],
      ['HTTPS://app.example:443/accounts/readyz', '200 OK'],
      ['http://app.example/other/accounts/v1/me', '404 Not Found'],
    ]) {
      const head = `GET ${target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(hello.url, head), target).to.match(new RegExp(`^HTTP/1.1 ${says}`));
    }
    for (const path of ['/v1/me', '/accountsx/v1/me', '/accounts.txt', '/readyz']) {
      const response = await call(path, { as: ADA });
      expect([response.status, await response.text()], path).to.deep.equal([404, 'Not Found']);
    }
    const me = await call('/accounts/v1/me', { as: ADA });
    expect(me.headers.get('x-host')).to.equal('app');
    expect(await me.json()).to.include({ id: 1, email: ADA, role: 'admin' });
    await expectProblem(await call('/people/v1/me', { as: ADA }), 401, 'unauthenticated');
    const created = await call('/people/v1/users', {
      as: ADA,
      secret: OTHER_SECRET,
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"email":"grace@example.com"}',
    });
    expect([created.status, created.headers.get('location')]).to.deep.equal([201, '/people/v1/users/2']);
    const { items } = (await (await call('/accounts/v1/users', { as: ADA })).json()) as {
      items: readonly unknown[];
    };
    expect(items).to.have.length(1);

    for (const base of ['/accounts', '/people']) {
      const document = (await (await call(`${base}/openapi.json`)).json()) as {
        servers: unknown;
        components: { securitySchemes: { console: { name: string } } };
      };
      expect(document.servers).to.deep.include.members([{ url: base }]);
      expect(document.components.securitySchemes.console.name).to.equal(`__Host-rollcall+${base.slice(1)}`);
      expect((await call(`${base}/`, { headers: { Accept: 'text/html' } })).headers.get('location')).to.equal(
        `${base}/console`,
      );
      const page = await (await call(`${base}/console`)).text();
      const files = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = '']) => path);
      expect(files).to.have.length.greaterThan(2);
      for (const file of files) {
        expect(file).to.match(new RegExp(`^${base}/console/files/`));
        expect((await call(file)).status, file).to.equal(200);
      }
    }

    expect(await accounts.close()).to.equal(true);
    await expectProblem(await call('/accounts/v1/me', { as: ADA }), 503, 'not_ready');
    expect((await call('/people/v1/me', { as: ADA, secret: OTHER_SECRET })).status).to.equal(200);
  });

  it('has cookies of its own under each path, so that nobody signs out of one by signing in to the other', async () => {
    const cookieOf = async (basePath: string) => {
      const call = await serve((await open({ basePath })).handler);
      const response = await call(`${basePath}/v1/session`, {
        as: ADA,
        method: 'POST',
        headers: { 'Sec-Fetch-Site': 'same-origin' },
      });
      expect(response.status).to.equal(201);
      return response.headers.get('set-cookie')?.replace(/=[^;]+; /, '=…; ');
    };
    expect(await cookieOf('')).to.match(/^rollcall-console=…; Path=\//);
    expect(await cookieOf('/apps/accounts')).to.match(/^rollcall-console\+apps\+accounts=…; Path=\//);
  });

  it('answers in a plain server, and behind what takes its path away', async () => {
    const rollcall = await open({ basePath: '/accounts' });
    const plain = await serve(rollcall.handler);
    expect((await plain('/accounts/v1/me', { as: ADA })).status).to.equal(200);
    expect((await plain('/healthz')).status).to.equal(200);
    await expectProblem(await plain('/elsewhere'), 404, 'not_found');

    // As Express and Connect call it.
    const connect = await serve((request, response) => {
      Object.assign(request, {
        originalUrl: request.url,
        url: request.url?.replace(/^\/accounts/, '') || '/',
      });
      rollcall.handler(request, response, () => response.end('passed on'));
    });
    expect((await connect('/accounts/v1/me', { as: ADA })).status).to.equal(200);
    expect(await (await connect('/v1/me', { as: ADA })).text()).to.equal('passed on');
  });

  it('answers in Koa behind what takes its path away, and behind what gives it one', async () => {
    const rollcall = await open({ basePath: '/accounts' });
    const app = new Koa();
    app.use(async (ctx, next) => {
      const { path } = ctx;
      // As koa-mount and koa-rewrite do it.
      ctx.path = path.startsWith('/old/')
        ? path.replace('/old/', '/accounts/')
        : path.slice('/accounts'.length);
      await rollcall.middleware(ctx, async () => {
        ctx.path = path;
        await next();
      });
    });
    app.use((ctx) => {
      ctx.body = ctx.path;
    });
    const handle = app.callback();
    const call = await serve(handle);
    for (const path of ['/accounts/v1/me', '/old/v1/me'])
      expect(await (await call(path, { as: ADA })).text(), path).to.include(ADA);
    expect(await (await call('/elsewhere')).text()).to.equal('/elsewhere');

    const inExpress = await serve((request, response) => {
      Object.assign(request, { originalUrl: request.url, url: '/v1/me' });
      handle(request, response);
    });
    expect(await (await inExpress('/accounts/v1/me', { as: ADA })).text()).to.include(ADA);
  });

  it('says so where a body was read before, instead of waiting for it', async () => {
    const rollcall = await open();
    const patch = { as: ADA, method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: '{}' };
    const call = await serve(async (request, response) => {
      for await (const _ of request);
      rollcall.handler(request, response, (error) => response.end(String(error)));
    });
    expect(await (await call('/v1/me', patch)).text()).to.equal(
      'Error: The body of PATCH /v1/me was read before Rollcall could: put Rollcall in front of what parses bodies.',
    );
    expect((await (await call('/v1/me', { as: ADA })).json()) as object).to.include({ email: ADA });
  });

  it('lets requests in flight finish when it closes, refuses new ones, and closes once', async () => {
    const rollcall = await open();
    const call = await serve(rollcall.handler);
    const stream = await openStream({ call } as never, '/v1/changes', { as: ADA });
    const [database] = databases;
    const session = await database?.connect();
    await session?.query('begin; lock table users in access exclusive mode');
    const slow = call('/v1/users', { as: ADA });
    // It waits for the lock.
    await until('waiting', async () => {
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return ((await database?.query(waiting)) ?? []).length > 0;
    });
    const closed = rollcall.close();
    await expectProblem(await call('/v1/me', { as: ADA }), 503, 'not_ready');
    await session?.query('rollback');
    expect((await slow).status).to.equal(200);
    expect(await closed).to.equal(true);
    expect(rollcall.close()).to.equal(rollcall.close());
    while ((await stream.next()) !== undefined);
    await until('no connection is left', async () => {
      const left =
        "select 1 from pg_stat_activity where application_name like 'rollcall%' and datname = current_database()";
      return (await database?.query(left))?.length === 0;
    });
  });

  it('waits for nobody who has hung up before it was asked', async () => {
    const rollcall = await open();
    const arrived = Promise.withResolvers<void>();
    const handled = Promise.withResolvers<void>();
    const app = new Koa();
    app.use(async ({ res }, next) => {
      arrived.resolve();
      await once(res, 'close');
      await next();
      handled.resolve();
    });
    app.use(rollcall.middleware);
    const call = await serve(app.callback());
    const hangUp = new AbortController();
    const failed = call('/v1/me', { as: ADA, signal: hangUp.signal }).catch(({ name }: Error) => name);
    await arrived.promise;
    hangUp.abort();
    expect(await failed).to.equal('AbortError');
    await handled.promise;
    expect(await rollcall.close()).to.equal(true);
  });

  it('cuts off what takes longer than it may', async () => {
    const rollcall = await open({ shutdownTimeoutMs: 300 });
    const arrived = Promise.withResolvers<void>();
    const call = await serve((request, response) => {
      rollcall.handler(request, response);
      arrived.resolve();
    });
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    });
    const headers = { 'Content-Type': 'application/json' };
    const endless = call('/v1/me', { as: ADA, method: 'PATCH', headers, body, duplex: 'half' });
    const failed = endless.then(
      () => 'answered',
      () => 'cut off',
    );
    await arrived.promise;
    expect(await rollcall.close()).to.equal(false);
    expect(await failed).to.equal('cut off');
  });

  it('checks its settings like those of the environment, which they override', async () => {
    const refused = async (given: object) =>
      createRollcall(given as GivenSettings).then(
        () => undefined,
        (error: Error) => `${error.name}: ${error.message}`,
      );
    expect(
      await refused({
        environment: 'production',
        port: 'x',
        database: { poolMax: 1, ulr: 'postgres://x' },
        auth: { secret: 'short', audience: ['a'] },
        corsOrigins: ['https://app.example.com/path'],
        nonsense: 1,
        dormancy: 30,
      }),
    ).to.equal(
      [
        'SettingsError: createRollcall has no setting database.ulr: remove it, or correct its name',
        'createRollcall has no setting nonsense: remove it, or correct its name',
        'dormancy of createRollcall must be an object of settings',
        'PORT (port of createRollcall) must be a whole number from 0 to 65535, not "x"',
        'DATABASE_URL must be set in production, to postgres://user:password@host:port/database',
        'DATABASE_POOL_MAX (database.poolMax of createRollcall) must be a whole number from 2 to 10000, not 1',
        'AUTH_SECRET (auth.secret of createRollcall) must have 32 bytes or more; generate it with: openssl rand -base64 48',
        'CORS_ORIGINS (corsOrigins of createRollcall) must be origins such as https://app.example.com or tauri://localhost, without a path or a *, separated by commas, not "https://app.example.com/path"',
      ].join('\n'),
    );
    process.env['INITIAL_ADMINS'] = 'not an email';
    process.env['BASE_PATH'] = '/from-the-environment';
    process.env['RATE_LIMIT_REQUESTS'] = 'not a number';
    try {
      const given = { initialAdmins: [], basePath: null, rateLimit: null };
      const call = await serve((await open(given)).handler);
      await expectProblem(await call('/v1/me', { as: ADA }), 403, 'account_required');
    } finally {
      delete process.env['INITIAL_ADMINS'];
      delete process.env['BASE_PATH'];
      delete process.env['RATE_LIMIT_REQUESTS'];
    }
  });

  it('warns where it seems to be deployed with the settings of development, unless they are meant', async () => {
    const printed: string[] = [];
    const { error } = console;
    console.error = (text: string) => printed.push(text);
    process.env['KUBERNETES_SERVICE_HOST'] = '10.0.0.1';
    try {
      await open({ environment: null, access: { policy: 'invited' } });
      await open({ environment: 'development' });
    } finally {
      delete process.env['KUBERNETES_SERVICE_HOST'];
      console.error = error;
    }
    expect(printed).to.deep.equal([
      'Warning: KUBERNETES_SERVICE_HOST is set, but ENVIRONMENT is not set, so Rollcall uses its development settings: it generates what is missing. Set ENVIRONMENT=production, or ENVIRONMENT=development if this is meant.',
    ]);
  });

  it('rejects where it cannot start, and leaves nothing open', async () => {
    const error = await createRollcall({
      environment: 'test',
      logLevel: 'silent',
      database: { url: 'postgres://nobody:wrong@127.0.0.1:1/none', connectTimeoutMs: 200 },
      bootTimeoutMs: 500,
      auth: { secret: SECRET },
    }).catch((reason: Error) => reason);
    expect(error).to.include({ name: 'CannotStart' });
    expect((error as Error).message).to.match(/did not answer within BOOT_TIMEOUT_MS \(500 ms\)/);
  });
});

interface Call extends RequestInit {
  readonly as?: string;
  readonly secret?: string;
  readonly duplex?: 'half';
}
