import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { forge } from '../support/tokens.ts';

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

  it('has one line per request with its id, method, route, status, duration and caller', async () => {
    const response = await app.call('/v1/me', { as: 'ada@example.com' });
    const [line, ...others] = app.log;
    expect(others).to.deep.equal([]);
    expect(line).to.have.all.keys(
      ...FIELDS,
      'requestId',
      'method',
      'route',
      'status',
      'durationMs',
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
      status: 200,
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
    ['to a public endpoint', '/healthz', {}, { route: '/healthz', status: 200, userId: null }],
    ['with the method HEAD', '/healthz', { method: 'HEAD' }, { method: 'HEAD', status: 200 }],
    ['to an unknown path', '/v2/me', {}, { route: null, status: 404, userId: null }],
    ['with an unsupported method', '/v1/me', { method: 'PUT' }, { method: 'PUT', route: null, status: 405 }],
    ['without a token', '/v1/me', {}, { route: '/v1/me', status: 401, userId: null }],
    ['without an account', '/v1/me', { as: 'x@example.com' }, { route: '/v1/me', status: 403, userId: null }],
    ['with a parameter in its path', '/v1/things/7', post('1'), { route: '/v1/things/:id', status: 200 }],
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

  it('never contains a token, cookie, query, path or body, wherever the client puts them', async () => {
    const tokens = [
      forge(),
      forge({ secret: 'another' }),
      forge({ header: { alg: 'none' } }),
      'opaque-token-1',
    ];
    const marks = [
      'session-cookie',
      'in-the-query',
      'in-the-path',
      'in-the-body',
      'in-a-referrer',
      'api-key-1',
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
        '/nowhere/in-the-path',
        '/v1/things/in-the-path',
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
    expect(requests()).to.have.length(tokens.length * 5 * 5);
    const log = JSON.stringify(app.log);
    const parts = tokens.flatMap((token) => token.split('.'));
    for (const secret of [...marks, ...parts]) expect(log).not.to.include(secret);
  });
});
