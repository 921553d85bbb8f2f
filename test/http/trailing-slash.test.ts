import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

/** The headers of which an answer has its own each time. */
const OF_ONE_ANSWER = new Set(['date', 'x-request-id', 'ratelimit']);

describe('a slash at the end of a path', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({ rateLimit: { requests: 10_000 }, logLevel: 'debug' });
    await addAccount(app.database, ADA, { role: 'admin' });
  });

  after(() => app.close());

  /** An answer, with what the log has of its request. */
  const ask = async (method: string, path: string) => {
    app.log.length = 0;
    const response = await app.call(path, { method, as: ADA, redirect: 'manual' });
    const body = (await response.text()).replace(/"requestId":"[^"]*"/, '');
    const line = await until('its line in the log', () => app.log.find(({ msg }) => msg === 'request'));
    const headers = [...response.headers].filter(([name]) => !OF_ONE_ANSWER.has(name));
    return { status: response.status, headers, body, route: line['route'] };
  };

  const paths = new Set(
    describedEndpoints()
      .map(({ path }) => path.replace(/:\w+/g, '1'))
      // Answers of their own each time.
      .filter((path) => path !== '/' && path !== '/v1/me/export' && path !== '/v1/session/oidc'),
  );
  for (const path of paths) {
    it(`makes no difference: ${path}`, async () => {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT'])
        expect(await ask(method, `${path}/`), method).to.deep.equal(await ask(method, path));
    });
  }

  it('is no way around a rate limit', async () => {
    const limited = await startApp({ rateLimit: { requests: 3 } });
    await addAccount(limited.database, ADA);
    for (const path of ['/v1/me', '/v1/me/', '/v1/me'])
      expect((await limited.call(path, { as: ADA })).status).to.equal(200);
    await expectProblem(await limited.call('/v1/me/', { as: ADA }), 429, 'rate_limited');
    await limited.close();
  });

  it('is one slash', async () => {
    await expectProblem(await app.call('/v1/me//', { as: ADA }), 404, 'not_found');
  });
});
