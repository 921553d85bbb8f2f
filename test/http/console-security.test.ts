import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import {
  browserWith,
  codeFor,
  cookieOf,
  OWN_PAGE,
  redeem,
  type SignedInBrowser,
  signInToConsole,
} from '../support/console.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';

const ADMIN = 'admin@example.com';
const ADA = 'ada@example.com';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Starts an app with an admin and another account. */
async function appWith(options: Parameters<typeof startApp>[0] = {}): Promise<TestApp> {
  const app = await startApp(options);
  if (options.database === undefined) {
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
  }
  return app;
}

describe('what other sites can do with the console', () => {
  let app: TestApp;
  let admin: SignedInBrowser;

  before(async () => {
    app = await appWith({ corsOrigins: ['https://app.example.com'] });
  });
  beforeEach(async () => {
    admin = await signInToConsole(app, ADMIN);
  });
  after(() => app.close());

  const FOREIGN = [
    { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example.net' },
    { 'Sec-Fetch-Site': 'same-site', Origin: 'https://sister.example.com' },
    // An origin that may call the API with the cookies of Auth.js.
    { 'Sec-Fetch-Site': 'same-site', Origin: 'https://app.example.com' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'nonsense' },
    // A browser that knows no `Sec-Fetch-Site`.
    { Origin: 'https://evil.example.net' },
    { Origin: 'https://app.example.com' },
    { Origin: 'null' },
  ];
  const foreign = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
    app.call(path, { ...init, headers: { ...JSON_TYPE, Cookie: admin.cookie, ...headers } });

  it('is neither to read nor to write with its session', async () => {
    for (const headers of FOREIGN) {
      for (const [method, path, body] of [
        ['GET', '/v1/users'],
        ['GET', '/v1/me/sessions'],
        ['PATCH', '/v1/me', '{"name":"Eve"}'],
        ['POST', '/v1/users', '{"email":"eve@example.com","role":"admin"}'],
        ['DELETE', `/v1/me/sessions/${admin.session.id}`],
      ] as const) {
        const response = await foreign(path, headers, { method, ...(body && { body }) });
        await expectProblem(response, 403, 'cross_site');
      }
    }
    for (const method of ['PATCH', 'DELETE']) {
      const init = { method, ...(method === 'PATCH' && { body: '{}' }) };
      await expectProblem(await foreign('/v1/me', {}, init), 403, 'cross_site');
    }
    expect((await foreign('/v1/me', {})).status).to.equal(200);
    expect((await foreign('/v1/me', { 'Sec-Fetch-Site': 'none' })).status).to.equal(200);
    const own = { 'Sec-Fetch-Site': 'same-origin', Origin: app.url };
    expect((await foreign('/v1/me', own, { method: 'PATCH', body: '{}' })).status).to.equal(200);
    expect((await foreign('/v1/me', { Origin: app.url }, { method: 'PATCH', body: '{}' })).status).to.equal(
      200,
    );
  });

  it('is not to sign a browser in to somebody else’s account, nor out (login CSRF)', async () => {
    const code = await codeFor(app, ADA);
    const authjs = `authjs.session-token=${await sessionOf({ token: { email: ADA } })}`;
    for (const headers of [...FOREIGN, {}]) {
      const init = { method: 'POST' };
      const body = JSON.stringify({ code });
      await expectProblem(await foreign('/v1/session/code', headers, { ...init, body }), 403, 'cross_site');
      await expectProblem(
        await foreign('/v1/session', { ...headers, Cookie: authjs }, init),
        403,
        'cross_site',
      );
      await expectProblem(await foreign('/v1/session/sign-out', headers, init), 403, 'cross_site');
    }
    // No form can send JSON, and no page of another origin a token.
    const form = await redeem(app, code, { 'Content-Type': 'text/plain' });
    await expectProblem(form, 415, 'unsupported_media_type');
    await expectProblem(
      await app.call('/v1/session', {
        method: 'POST',
        as: ADA,
        headers: FOREIGN[2] as Record<string, string>,
      }),
      403,
      'cross_site',
    );
    for (const headers of FOREIGN.slice(0, 5))
      await expectProblem(await foreign('/v1/session', headers), 403, 'cross_site');
    expect((await admin.call('/v1/me')).status).to.equal(200);
    expect((await redeem(app, code)).status).to.equal(201);
  });

  it('is not to plant a session by a cookie that appears twice', async () => {
    const ada = await signInToConsole(app, ADA);
    const both = browserWith(app, `${ada.cookie}; ${admin.cookie}`);
    await expectProblem(await both('/v1/me'), 401, 'unauthenticated');
  });
});

describe('the cookie of the console', () => {
  let app: TestApp;

  afterEach(() => app.close());

  /** The `Set-Cookie` of a sign-in that is sent for this host. */
  const setFor = async (host: string, more: readonly string[] = []) => {
    const body = JSON.stringify({ code: await codeFor(app, ADA) });
    const head = [
      'POST /v1/session/code HTTP/1.1',
      `Host: ${host}`,
      'Connection: close',
      'Sec-Fetch-Site: same-origin',
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      ...more,
    ];
    const answer = await sendRaw(app.url, `${head.join('\r\n')}\r\n\r\n${body}`);
    return /^Set-Cookie: ([^=]+)=[\w-]{43}; (.*)\r$/im.exec(answer)?.slice(1, 3);
  };
  const SECURE = ['__Host-rollcall', 'Path=/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure'];
  const PLAIN = ['rollcall-console', 'Path=/; Max-Age=28800; HttpOnly; SameSite=Strict'];

  it('is secure and of this host alone, but for this machine outside of production', async () => {
    app = await appWith({ trustProxy: 1 });
    for (const host of [
      'localhost:8000',
      'LOCALHOST',
      '127.0.0.1:8000',
      '127.1.2.3',
      '[::1]:8000',
      'app.localhost',
    ])
      expect(await setFor(host), host).to.deep.equal(PLAIN);
    for (const host of [
      'rollcall.example.com',
      'localhost.example.com',
      '10.0.0.5:8000',
      '127.0.0.1.example.com',
      'x',
    ])
      expect(await setFor(host), host).to.deep.equal(SECURE);
    // What the proxy has been asked for counts.
    const forwarded = ['X-Forwarded-Host: rollcall.example.com'];
    expect(await setFor('127.0.0.1:8000', forwarded)).to.deep.equal(SECURE);
  });

  it('is secure in production, whatever host a proxy asks for', async () => {
    app = await appWith({ environment: 'production' });
    for (const host of ['localhost:8000', '127.0.0.1:8000', 'rollcall.example.com'])
      expect(await setFor(host), host).to.deep.equal(SECURE);
  });

  it('is as PUBLIC_URL says', async () => {
    app = await appWith({ publicUrl: 'https://rollcall.example.com' });
    expect(await setFor('127.0.0.1:8000')).to.deep.equal(SECURE);
    await app.close();
    app = await appWith({ publicUrl: 'http://localhost:8000', environment: 'production' });
    expect(await setFor('127.0.0.1:8000')).to.deep.equal(PLAIN);
  });

  it('counts for the pages of PUBLIC_URL, also where a proxy asks for another host', async () => {
    app = await appWith({ publicUrl: 'https://rollcall.example.com' });
    const code = await codeFor(app, ADA);
    const from = (origin: string) =>
      app.call('/v1/session/code', {
        method: 'POST',
        headers: { ...JSON_TYPE, Origin: origin },
        body: JSON.stringify({ code }),
      });
    await expectProblem(await from('https://rollcall.example.com.evil.net'), 403, 'cross_site');
    const response = await from('https://rollcall.example.com');
    expect(response.status).to.equal(201);
    const write = (origin: string) =>
      app.call('/v1/me', {
        method: 'PATCH',
        headers: { ...JSON_TYPE, Origin: origin, Cookie: cookieOf(response) },
        body: '{}',
      });
    expect((await write('https://rollcall.example.com')).status).to.equal(200);
    await expectProblem(await write('http://rollcall.example.com'), 403, 'cross_site');
  });

  it('counts under its own name alone: another port of this machine can set the plain one', async () => {
    app = await appWith();
    const { cookie } = await signInToConsole(app, ADA);
    const [, token = ''] = cookie.split('=');
    const statusOf = async (host: string, name: string) => {
      const head = `GET /v1/me HTTP/1.1\r\nHost: ${host}\r\nCookie: ${name}=${token}\r\nConnection: close\r\n\r\n`;
      return Number((await sendRaw(app.url, head)).split(' ')[1]);
    };
    expect(await statusOf('localhost', 'rollcall-console')).to.equal(200);
    expect(await statusOf('localhost', '__Host-rollcall')).to.equal(401);
    expect(await statusOf('rollcall.example.com', '__Host-rollcall')).to.equal(200);
    expect(await statusOf('rollcall.example.com', 'rollcall-console')).to.equal(401);
  });

  it('leaves requests of an app on the same host to the app’s own session', async () => {
    app = await appWith();
    const admin = await signInToConsole(app, ADMIN);
    const authjs = `authjs.session-token=${await sessionOf({ token: { email: ADA } })}`;
    const emailOf = async (cookie: string, headers: Record<string, string> = {}) => {
      const response = await browserWith(app, cookie)('/v1/me', { headers });
      return response.status === 200 ? ((await response.json()) as { email: string }).email : response.status;
    };
    const both = `${authjs}; ${admin.cookie}`;
    const page = { 'Rollcall-Console': '1' };
    expect(await emailOf(both)).to.equal(ADA);
    expect(await emailOf(both, page)).to.equal(ADMIN);
    expect(await emailOf(admin.cookie)).to.equal(ADMIN);
    // Not the app's account once the console's session has ended.
    await admin.call('/v1/session/sign-out', { method: 'POST' });
    expect(await emailOf(both, page)).to.equal(401);
    expect(await emailOf(authjs, page)).to.equal(401);
    expect(await emailOf(both)).to.equal(ADA);
    const preflight = await app.call('/v1/me', {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://evil.example.net',
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'rollcall-console',
      },
    });
    expect(preflight.headers.has('access-control-allow-headers')).to.equal(false);
  });
});

describe('guesses at the doors of the console', () => {
  it('count as failures of their address, and do not lock others out', async () => {
    const app = await appWith({ rateLimit: { failures: 3 }, trustProxy: 1 });
    const from = (address: string) => ({ 'X-Forwarded-For': address });
    const guess = () => redeem(app, 'A'.repeat(43), from('203.0.113.7'));
    for (let n = 0; n < 3; n++) await expectProblem(await guess(), 401, 'unauthenticated');
    for (let n = 0; n < 3; n++) await expectProblem(await guess(), 429, 'rate_limited');
    // A good one passes, as good credentials do.
    expect((await redeem(app, await codeFor(app, ADA), from('203.0.113.7'))).status).to.equal(201);
    await expectProblem(await redeem(app, 'B'.repeat(43), from('198.51.100.1')), 401, 'unauthenticated');
    const bad = { headers: { ...from('192.0.2.9'), Cookie: `rollcall-console=${'C'.repeat(43)}` } };
    for (let n = 0; n < 3; n++) await expectProblem(await app.call('/v1/me', bad), 401, 'unauthenticated');
    await expectProblem(await app.call('/v1/me', bad), 429, 'rate_limited');
    await app.close();
  });

  it('count also where one only asks who is signed in, by a cookie that was made up', async () => {
    const app = await appWith({ rateLimit: { failures: 3 }, trustProxy: 1 });
    const ask = async (cookie: string, address: string) => {
      const response = await app.call('/v1/session', {
        headers: { Cookie: cookie, 'X-Forwarded-For': address },
      });
      const { doors } = (await response.json()) as { doors?: { authjs: { email: string | null } } };
      return `${response.status} ${doors?.authjs.email}`;
    };
    const cookieOf = async (options: Parameters<typeof sessionOf>[0]) =>
      `authjs.session-token=${await sessionOf(options)}`;
    const madeUp = await cookieOf({ token: { email: ADA }, secret: 'guess'.repeat(8) });
    const asked = [];
    for (let n = 0; n < 5; n++) asked.push(await ask(madeUp, '203.0.113.8'));
    expect(asked).to.deep.equal(['200 null', '200 null', '200 null', '429 undefined', '429 undefined']);
    // A good one passes, and nobody elsewhere notices.
    const good = await cookieOf({ token: { email: ADA } });
    expect(await ask(good, '203.0.113.8')).to.equal(`200 ${ADA}`);
    expect(await ask(madeUp, '198.51.100.2')).to.equal('200 null');
    // Whoever is signed in to the console is not locked out by a cookie that the app has left, nor by others.
    const { cookie } = await signInToConsole(app, ADMIN);
    for (let n = 0; n < 5; n++)
      expect(await ask(`${madeUp}; ${cookie}`, '198.51.100.3')).to.equal('200 null');
    expect(await ask(`${madeUp}; ${cookie}`, '203.0.113.8')).to.equal('200 null');
    // Neither no sign-in nor a session that has ended is a guess.
    for (let n = 0; n < 5; n++) {
      expect(await ask('theme=dark', '192.0.2.10')).to.equal('200 null');
      expect(await ask(`rollcall-console=${'D'.repeat(43)}`, '192.0.2.10')).to.equal('200 null');
    }
    await app.close();
  });
});

describe('without a console', () => {
  it('there is no door, no list and no session that counts', async () => {
    const app = await appWith();
    const admin = await signInToConsole(app, ADMIN);
    const off = await appWith({ database: app.database, console: false });
    const call = browserWith(off, admin.cookie);
    await expectProblem(await call('/v1/me'), 401, 'unauthenticated');
    for (const [method, path] of [
      ['GET', '/v1/session'],
      ['POST', '/v1/session'],
      ['POST', '/v1/session/code'],
      ['POST', '/v1/session/sign-out'],
      ['GET', '/v1/session/oidc'],
      ['GET', '/v1/session/oidc/callback'],
      ['GET', '/v1/me/sessions'],
      ['GET', '/v1/sessions'],
      ['DELETE', '/v1/sessions/1'],
    ] as const)
      await expectProblem(await call(path, { method }), 404, 'not_found');
    for (const path of ['/console', '/console/elsewhere'])
      await expectProblem(await call(path, { headers: { Accept: 'text/html' } }), 404, 'not_found');
    const document = (await (await off.call('/openapi.json')).json()) as { paths: object };
    expect(Object.keys(document.paths).filter((path) => path.includes('session'))).to.deep.equal([]);
    expect((await off.call('/v1/me', { as: ADMIN })).status).to.equal(200);
    await off.stop();
    expect((await admin.call('/v1/me')).status).to.equal(200);
    await app.close();
  });
});

describe('a session of the console that another process ends', () => {
  let app: TestApp;
  let other: TestApp;

  beforeEach(async () => {
    const streamTimes = { keepAliveMs: 50, recheckMs: 100 };
    app = await appWith({ streamTimes });
    other = await appWith({ database: app.database, streamTimes });
  });
  afterEach(async () => {
    await other.stop();
    await app.close();
  });

  it('is refused at once, and its event stream ends', async () => {
    const admin = await signInToConsole(app, ADMIN);
    const call = browserWith(other, admin.cookie);
    expect((await call('/v1/users')).status).to.equal(200);
    const stream = await call('/v1/changes', { headers: { Accept: 'text/event-stream' } });
    expect(stream.status).to.equal(200);
    const ended = await app.call(`/v1/sessions/${admin.session.id}`, { as: ADMIN, method: 'DELETE' });
    expect(ended.status).to.equal(204);
    await expectProblem(await call('/v1/users'), 401, 'unauthenticated');
    // It never ends by itself.
    await stream.text();
  });

  it('ends at its idle time even while an event stream is open', async () => {
    const admin = await signInToConsole(app, ADMIN);
    const stream = await admin.call('/v1/changes', { headers: { Accept: 'text/event-stream' } });
    await app.database.query(`update console_sessions set last_used_at = now() - interval '31 minutes'`);
    // It never ends by itself.
    await stream.text();
  });
});

describe('the host of a request', () => {
  const statusOf = async (app: TestApp, host: string) => {
    const answer = await sendRaw(
      app.url,
      `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    return { status: Number(answer.split(' ')[1]), body: answer.split('\r\n\r\n')[1] ?? '' };
  };

  it('is a name of this machine in development (DNS rebinding)', async () => {
    const app = await startApp({ environment: 'development', publicUrl: 'https://dev.example.com' });
    for (const host of [
      '127.0.0.1:8000',
      'localhost:8000',
      'LOCALHOST.',
      '[::1]:8000',
      '192.168.1.5',
      'rollcall',
      'rollcall.localhost',
      'laptop.local:8000',
      'rollcall.internal',
      'dev.example.com',
      'Dev.Example.com:443',
    ])
      expect((await statusOf(app, host)).status, host).to.equal(200);
    for (const host of [
      'evil.example.net:8000',
      'localhost.evil.example.net',
      '127.0.0.1.nip.io',
      'dev.example.com.evil.net',
    ]) {
      const { status, body } = await statusOf(app, host);
      expect(status, host).to.equal(421);
      expect(JSON.parse(body)).to.include({ code: 'misdirected_request', status: 421 });
      expect(JSON.parse(body).detail).to.include('PUBLIC_URL');
    }
    await app.close();
  });

  it('is a proxy’s business elsewhere', async () => {
    const app = await startApp();
    expect((await statusOf(app, 'rollcall.example.com')).status).to.equal(200);
    await app.close();
  });
});

describe('the cookie of a door', () => {
  it('is set by the answer alone, never kept and never shown', async () => {
    const app = await appWith();
    const response = await app.call('/v1/session', {
      method: 'POST',
      as: ADA,
      headers: { ...OWN_PAGE, 'Idempotency-Key': '"one"' },
    });
    expect(response.status).to.equal(201);
    const [, token = ''] = cookieOf(response).split('=');
    expect(await response.text()).not.to.contain(token);
    expect(await app.database.query('select * from kept_answers')).to.deep.equal([]);
    await app.close();
  });
});
