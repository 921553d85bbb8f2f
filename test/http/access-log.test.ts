import { expect } from 'chai';
import { mintServiceToken } from '../../src/security/service-token.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { sendRaw } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const FIELDS = ['level', 'time', 'pid', 'hostname', 'msg'];

describe('the access log', () => {
  let app: TestApp;
  let ada: number;

  before(async () => {
    app = await startApp({
      extra: [
        testEndpoint({
          method: 'POST',
          path: '/v1/things/:id',
          access: 'account',
          takesBody: true,
          handle: ({ body }) => {
            if (body === 'fail') throw new Error('a bug');
            return 'done';
          },
          view: (outcome) => ({ outcome }),
        }),
      ],
    });
    ada = (await addAccount(app.database, 'ada@example.com')).id;
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  const requests = () => app.log.filter(({ msg }) => msg === 'request');

  it('has one line per request with its id, what was asked and answered, and the caller', async () => {
    const headers = { 'User-Agent': 'curl/8.5.0' };
    const response = await app.call('/v1/me', { as: 'ada@example.com', headers });
    const body = await response.text();
    const [line, ...others] = app.log;
    expect(others).to.deep.equal([]);
    expect(line).to.have.all.keys(
      ...FIELDS,
      'requestId',
      'method',
      'route',
      'path',
      'status',
      'durationMs',
      'bytes',
      'address',
      'userAgent',
      'userId',
      'service',
      'credential',
    );
    expect(line).to.include({
      level: 30,
      msg: 'request',
      requestId: response.headers.get('x-request-id'),
      method: 'GET',
      route: '/v1/me',
      path: '/v1/me',
      status: 200,
      bytes: Buffer.byteLength(body),
      address: '127.0.0.1',
      userAgent: 'curl/8.5.0',
      userId: ada,
      service: null,
      credential: 'bearer',
    });
    expect(line?.['durationMs']).to.be.a('number').above(0);
  });

  const post = (body: string) => ({
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
    as: 'ada@example.com',
  });
  const outcomes: [what: string, path: string, options: Parameters<TestApp['call']>[1], line: object][] = [
    ['to a public endpoint', '/openapi.json', {}, { route: '/openapi.json', status: 200, userId: null }],
    ['with the method HEAD', '/v1/me', { method: 'HEAD' }, { method: 'HEAD', status: 401, bytes: 0 }],
    ['to an unknown path', '/v2/me', {}, { route: null, path: '/v2/me', status: 404, userId: null }],
    ['with an unsupported method', '/v1/me', { method: 'PUT' }, { method: 'PUT', route: null, status: 405 }],
    ['without a token', '/v1/me', {}, { route: '/v1/me', status: 401, userId: null }],
    ['without an account', '/v1/me', { as: 'x@example.com' }, { route: '/v1/me', status: 403, userId: null }],
    [
      'with a parameter in its path',
      '/v1/things/7',
      post('1'),
      { route: '/v1/things/:id', path: '/v1/things/7', status: 200 },
    ],
    ['with an invalid body', '/v1/things/7', post('{'), { method: 'POST', status: 400 }],
    ['that runs into a bug', '/v1/things/7', post('"fail"'), { status: 500 }],
  ];
  for (const [what, path, options, expected] of outcomes) {
    it(`has one line for a request ${what}`, async () => {
      await app.call(path, options);
      expect(requests()).to.have.length(1);
      expect(requests()[0]).to.include(expected);
      if (options?.as === 'ada@example.com') expect(requests()[0]).to.include({ userId: ada });
    });
  }

  it('has one line for each of fifty concurrent requests', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => `request-${index}`);
    await Promise.all(
      ids.map((id) => app.call('/v1/me', { as: 'ada@example.com', headers: { 'X-Request-Id': id } })),
    );
    expect(requests().map(({ requestId }) => requestId)).to.have.members(ids);
  });

  it('has the bytes that a stream sent', async () => {
    await addAccount(app.database, 'root@example.com', { role: 'admin' });
    const response = await app.call('/v1/users/export', { as: 'root@example.com' });
    expect(response.status).to.equal(200);
    const { length } = await response.text();
    await until('the line', () => requests().length === 1);
    expect(requests()[0]).to.include({ route: '/v1/users/export', bytes: length });
  });

  it('has probes that succeed at debug, and those that fail at info', async () => {
    const probed = await startApp({ logLevel: 'debug' });
    await probed.call('/healthz');
    probed.lifecycle.phase = 'draining';
    await probed.call('/readyz');
    const lines = probed.log.filter(({ msg }) => msg === 'request');
    expect(lines.map(({ level, route }) => ({ level, route }))).to.deep.equal([
      { level: 20, route: '/healthz' },
      { level: 30, route: '/readyz' },
    ]);
    await probed.close();
    await app.call('/healthz');
    expect(app.log).to.deep.equal([]);
  });

  it('has the address that a trusted proxy tells, and not one that the client makes up', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.7' };
    const proxied = await startApp({ trustProxy: 1 });
    await proxied.call('/v1/me', { headers });
    expect(proxied.log.at(-1)).to.include({ msg: 'request', address: '203.0.113.7' });
    await proxied.close();
    await app.call('/v1/me', { headers });
    expect(requests()[0]).to.include({ address: '127.0.0.1' });
  });

  it('cannot be forged or flooded by what a client makes up', async () => {
    const long = 'x'.repeat(5_000);
    const evil = `a\x1b[2J\x9b31m\x85{"level":50} ${long}`;
    const head = `GET /nowhere/${long}?q HTTP/1.1\r\nHost: x\r\nConnection: close`;
    await sendRaw(
      app.url,
      Buffer.from(
        `${head}\r\nUser-Agent: ${evil.replace('\x1b', '\t')}\r\nX-Request-Id: ${evil.replace('\x1b', '')}\r\n\r\n`,
        'latin1',
      ),
    );
    const [line, ...others] = requests();
    expect(others).to.deep.equal([]);
    const { path, userAgent, clientRequestId } = line as Record<string, string>;
    expect(path).to.match(/^\/nowhere\/x{100,}\.\.\.$/);
    expect(userAgent).to.match(/^a\?\[2J\?31m\?\{"level":50\} x{100,}\.\.\.$/);
    expect(clientRequestId).to.match(/^a\[2J\?31m\?\{"level":50\} x{50,}\.\.\.$/);
    for (const text of [path, userAgent, clientRequestId]) expect(text).to.have.length.at.most(203);
  });

  it('never contains a token, cookie, query or body, wherever the client puts them', async () => {
    const tokens = [
      forge(),
      forge({ secret: 'another' }),
      forge({ header: { alg: 'none' } }),
      mintServiceToken().token,
    ];
    const marks = [
      'session-cookie',
      'in-the-query',
      'in-the-body',
      'in-a-referrer',
      'api-key-1',
      'me@home.example',
    ];
    for (const token of tokens) {
      const headers = {
        Authorization: `Bearer ${token}`,
        'Proxy-Authorization': `Bearer ${token}`,
        Cookie: `session=session-cookie; token=${token}`,
        Referer: `https://app.example/in-a-referrer?token=${token}`,
        'X-Api-Key': 'api-key-1',
        'X-Request-Id': `Bearer ${token}`,
        'User-Agent': token,
        'Content-Type': 'application/json',
      };
      for (const path of [
        '/v1/me',
        '/healthz',
        '/nowhere/me@home.example',
        '/nowhere/me%40home.example',
        '/v1/me%3fq=in-the-query',
        '/v1/me%253Fq=in-the-query',
        '/v1/me;q=in-the-query',
        '/v1/me&q=in-the-query',
        `/Bearer%20${token}/x`,
        `/v1/things/${token}`,
        `/${token}`,
      ]) {
        const url = `${path}?access_token=${token}&q=in-the-query`;
        for (const method of ['GET', 'POST', 'DELETE']) {
          const bodies =
            method === 'GET' ? [{}] : [{ body: `{"a":"in-the-body ${token}"}` }, { body: '"fail"' }];
          for (const body of bodies) await app.call(url, { method, headers, ...body });
        }
      }
    }
    expect(requests()).to.have.length(tokens.length * 11 * 5);
    const log = JSON.stringify(app.log);
    const parts = tokens.flatMap((token) => token.split('.'));
    for (const secret of [...marks, ...parts]) expect(log).not.to.include(secret);
  });
});
