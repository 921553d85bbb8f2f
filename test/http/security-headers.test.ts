import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';

const EXPECTED = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

describe('the security headers', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({
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
    await addAccount(app.database, 'ada@example.com');
  });

  after(() => app.close());

  const answers: [status: number, path: string, options?: Parameters<TestApp['call']>[1]][] = [
    [200, '/healthz'],
    [200, '/healthz', { method: 'HEAD' }],
    [200, '/healthz', { method: 'OPTIONS' }],
    [200, '/v1/me', { as: 'ada@example.com' }],
    [304, '/v1/me', { as: 'ada@example.com', headers: { 'If-None-Match': '*' } }],
    [401, '/v1/me'],
    [403, '/v1/me', { as: 'nobody@example.com' }],
    [404, '/nowhere'],
    [405, '/v1/me', { method: 'POST' }],
    [500, '/bug'],
  ];
  for (const [status, path, options] of answers) {
    it(`are on the answer ${status} to ${options?.method ?? 'GET'} ${path}`, async () => {
      const { status: actual, headers } = await app.call(path, options);
      expect(actual).to.equal(status);
      expect(Object.fromEntries(headers)).to.deep.include(EXPECTED);
    });
  }

  it('do not reveal the server software', async () => {
    const { headers } = await app.call('/healthz');
    for (const name of ['server', 'x-powered-by', 'via']) expect(headers.has(name), name).to.equal(false);
  });
});
