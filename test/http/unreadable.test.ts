import { expect } from 'chai';
import { startApp, type TestApp } from '../support/app.ts';
import { sendRaw } from '../support/raw-http.ts';

describe('an unreadable HTTP request', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  const cases: [what: string, request: string, status: number][] = [
    ['not HTTP at all', 'hello\r\n\r\n', 400],
    ['headers too long', `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ];
  for (const [what, request, status] of cases) {
    it(`is answered with a problem and logged: ${what}`, async () => {
      app.log.length = 0;
      const answer = await sendRaw(app.url, request);
      expect(answer)
        .to.match(new RegExp(`^HTTP/1.1 ${status} `))
        .and.to.include('application/problem+json');
      const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
      expect(problem).to.include({ status, code: 'malformed_request' });
      expect(app.log).to.have.length(1);
      expect(app.log[0]).to.include({
        msg: 'request',
        status,
        requestId: problem.requestId,
        address: '127.0.0.1',
        path: null,
      });
    });
  }
});
