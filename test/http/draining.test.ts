import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

describe('a draining server', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'ada@example.com');
  });

  afterEach(() => app.close());

  const answers: [status: number, path: string, options?: Parameters<TestApp['call']>[1]][] = [
    [200, '/healthz'],
    [200, '/v1/me', { as: 'ada@example.com' }],
    [401, '/v1/me'],
    [404, '/nowhere'],
    [503, '/readyz'],
  ];
  for (const [status, path, options] of answers) {
    it(`answers ${status} to ${path} as usual, and closes the connection`, async () => {
      app.lifecycle.phase = 'draining';
      const response = await app.call(path, options);
      expect(response.status).to.equal(status);
      expect(response.headers.get('connection')).to.equal('close');
    });
  }

  it('keeps connections alive until it drains', async () => {
    for (const phase of ['booting', 'ready'] as const) {
      app.lifecycle.phase = phase;
      const { headers } = await app.call('/healthz');
      expect(headers.get('connection')).to.equal('keep-alive');
    }
  });
});
