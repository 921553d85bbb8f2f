import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

const APP = 'https://app.example.com';
const LOCAL = 'http://localhost:3000';
const PHONE = 'capacitor://localhost';
const ADA = 'ada@example.com';

/** The headers of the answers in the document. */
interface OpenAPI {
  readonly paths: Record<string, Record<string, { responses: Record<string, { headers?: object }> }>>;
}

/** The CORS headers of a response, and its `Vary`. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );
}

describe('CORS', () => {
  let app: TestApp;
  let wire: DatabaseProxy;

  before(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({
      database,
      through: wire.url,
      corsOrigins: [APP, LOCAL, PHONE],
      corsHeaders: ['X-Requested-With'],
      rateLimit: { failures: 1 },
      trustProxy: 1,
      extra: [
        testEndpoint({
          method: 'GET',
          path: '/bug',
          access: 'public',
          handle: () => Promise.reject(new Error('a bug')),
          view: () => ({}),
        }),
      ],
    });
    await addAccount(database, ADA, { role: 'admin' });
  });

  after(async () => {
    await app.close();
    await wire.close();
  });

  const EXPOSED =
    'Allow,Content-Disposition,ETag,Idempotent-Replayed,Link,Location,RateLimit,RateLimit-Policy,Retry-After,Rollcall-Bookmark,Rollcall-Warning,WWW-Authenticate,X-Request-Id';
  const allowed = (origin: string, vary = 'Origin') => ({
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': EXPOSED,
    vary,
  });

  type Call = [status: number, path: string, options?: Parameters<TestApp['call']>[1]];
  const json = { 'Content-Type': 'application/json' };
  const CALLS: Call[] = [
    [200, '/healthz'],
    [200, '/healthz', { method: 'HEAD' }],
    [200, '/v1/me', { as: ADA }],
    [304, '/v1/me', { as: ADA, headers: { 'If-None-Match': '*', 'Cache-Control': 'max-age=0' } }],
    [201, '/v1/users', { as: ADA, method: 'POST', headers: json, body: '{"email":"new@example.com"}' }],
    [409, '/v1/users', { as: ADA, method: 'POST', headers: json, body: '{"email":"new@example.com"}' }],
    [204, '/v1/users/2', { as: ADA, method: 'DELETE' }],
    [400, '/v1/users?colour=red', { as: ADA }],
    [401, '/v1/me'],
    [403, '/v1/me', { as: 'nobody@example.com' }],
    [404, '/nowhere'],
    [405, '/v1/me', { method: 'POST' }],
    [415, '/v1/me', { as: ADA, method: 'PATCH', body: 'x' }],
    [422, '/v1/me', { as: ADA, method: 'PATCH', headers: json, body: '[]' }],
    [500, '/bug'],
  ];
  for (const [status, path, options = {}] of CALLS) {
    const what = `the answer ${status} to ${options.method ?? 'GET'} ${path}`;
    const call = async (origin: string | undefined) => {
      const headers = new Headers(options.headers);
      if (origin !== undefined) headers.set('Origin', origin);
      return app.call(path, { ...options, headers });
    };

    it(`shares ${what} with allowed origins only`, async () => {
      // These calls succeed only once, so they are made from one origin.
      const origins =
        status === 201 || status === 204 ? [APP] : [APP, LOCAL, PHONE, undefined, 'https://evil.example.net'];
      for (const origin of origins) {
        const response = await call(origin);
        expect(response.status, await response.text()).to.equal(status);
        const isAllowed = origin === APP || origin === LOCAL || origin === PHONE;
        expect(corsOf(response), origin ?? 'none').to.deep.equal(
          isAllowed ? allowed(origin) : { vary: 'Origin' },
        );
      }
    });
  }

  it('shares the answers 429 and 503 with allowed origins, too', async () => {
    const headers = { Origin: APP, 'X-Forwarded-For': '203.0.113.5', Authorization: 'Bearer nonsense' };
    expect((await app.call('/v1/me', { headers })).status).to.equal(401);
    const limited = await app.call('/v1/me', { headers });
    expect(limited.status).to.equal(429);
    expect(corsOf(limited)).to.deep.equal(allowed(APP));

    await wire.cut();
    const down = await app.call('/v1/me', { as: ADA, headers: { Origin: APP } });
    await wire.mend();
    expect(down.status).to.equal(503);
    expect(corsOf(down)).to.deep.equal(allowed(APP));
  });

  it('adds to the Vary header of an endpoint', async () => {
    for (const origin of [APP, 'https://evil.example.net']) {
      const response = await app.call('/v1/users/export', { as: ADA, headers: { Origin: origin } });
      expect(response.status).to.equal(200);
      expect(response.headers.get('vary')).to.equal('Origin, Accept');
      await response.text();
    }
  });

  const otherOrigins = [
    'null',
    '*',
    'https://APP.example.com',
    'http://app.example.com',
    'https://app.example.com/',
    'https://app.example.com:443',
    'https://app.example.com:8443',
    'https://app.example.com.evil.example.net',
    'https://evil-app.example.com',
    'https://sub.app.example.com',
    'capacitor://localhost.evil.example.net',
    'capacitor://LOCALHOST',
    'ionic://localhost',
    `${APP}, ${LOCAL}`,
  ];
  for (const origin of otherOrigins) {
    it(`shares nothing with the origin ${origin}`, async () => {
      const response = await app.call('/v1/me', { as: ADA, headers: { Origin: origin } });
      expect(response.status).to.equal(200);
      expect(corsOf(response)).to.deep.equal({ vary: 'Origin' });

      const preflight = await app.call('/v1/me', {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'PATCH' },
      });
      expect(corsOf(preflight)).to.deep.equal({ vary: 'Origin' });
    });
  }

  it('answers the preflight of an allowed origin with the methods and headers of the API, and does nothing else', async () => {
    for (const path of ['/v1/me', '/nowhere']) {
      const response = await app.call(path, {
        method: 'OPTIONS',
        headers: {
          Origin: APP,
          'Access-Control-Request-Method': 'PATCH',
          'Access-Control-Request-Headers': 'authorization,if-match,x-evil',
        },
      });
      expect(response.status).to.equal(204);
      expect(await response.text()).to.equal('');
      expect(corsOf(response)).to.deep.equal({
        'access-control-allow-origin': APP,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE',
        'access-control-allow-headers':
          'Authorization,Content-Type,Idempotency-Key,If-Match,If-None-Match,Last-Event-ID,Rollcall-Bookmark,Rollcall-Reason,X-Request-Id,traceparent,tracestate,baggage,sentry-trace,X-Requested-With',
        'access-control-max-age': '600',
        vary: 'Origin',
      });
    }
  });

  it('allows the methods of every endpoint', async () => {
    const { paths } = (await (await app.call('/openapi.json')).json()) as { paths: Record<string, object> };
    const methods = new Set(Object.values(paths).flatMap((item) => Object.keys(item)));
    const preflight = await app.call('/v1/me', {
      method: 'OPTIONS',
      headers: { Origin: APP, 'Access-Control-Request-Method': 'GET' },
    });
    const allowedMethods = preflight.headers.get('access-control-allow-methods')?.toLowerCase().split(',');
    expect(allowedMethods).to.include.members([...methods]);
  });
});

describe('the headers that CORS exposes', () => {
  it('are all that the document names, and Allow', async () => {
    const app = await startApp({ corsOrigins: [APP] });
    const response = await app.call('/openapi.json', { headers: { Origin: APP } });
    const { paths } = (await response.json()) as OpenAPI;
    const documented = Object.values(paths)
      .flatMap((operations) => Object.values(operations))
      .flatMap(({ responses }) => Object.values(responses))
      .flatMap(({ headers }) => Object.keys(headers ?? {}));
    const exposed = response.headers.get('access-control-expose-headers')?.split(',');
    // These speak to caches and clients below the page, which may read no cookie that is set (Fetch Standard).
    const below = ['Vary', 'Content-Type', 'Set-Cookie'];
    const own = documented.filter((name) => !below.includes(name));
    expect(exposed).to.have.members([...new Set([...own, 'Allow'])]);
    await app.close();
  });
});

describe('CORS without CORS_ORIGINS', () => {
  it('sends no CORS headers', async () => {
    const app = await startApp();
    await addAccount(app.database, ADA);
    for (const options of [
      { as: ADA },
      {},
      { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'GET' } },
    ] as Parameters<TestApp['call']>[1][]) {
      const response = await app.call('/v1/me', {
        ...options,
        headers: { ...options?.headers, Origin: APP } as Record<string, string>,
      });
      expect(corsOf(response)).to.deep.equal({});
    }
    await app.close();
  });
});
