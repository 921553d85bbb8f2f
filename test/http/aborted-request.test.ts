import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

describe('a caller that hangs up', () => {
  let app: TestApp;
  let handled: number;

  beforeEach(async () => {
    handled = 0;
    const counts = { handle: () => ++handled, view: (count: number) => ({ count }) };
    app = await startApp({
      extra: [
        testEndpoint({ ...counts, method: 'POST', path: '/body', access: 'public', takesBody: true }),
        testEndpoint({ ...counts, method: 'POST', path: '/v1/body', access: 'account', takesBody: true }),
        testEndpoint({ ...counts, method: 'GET', path: '/v1/count', access: 'account' }),
      ],
    });
    await addAccount(app.database, 'ada@example.com');
  });

  afterEach(() => app.close());

  /** The request's line in the access log, once the request has ended. */
  const requestLine = () =>
    until('the end of the request', () =>
      app.log.find(({ msg, route }) => msg === 'request' && route !== '/healthz'),
    );
  const expectOnlyConnectionLost = () => {
    expect(app.log.filter(({ level }) => (level as number) >= 40)).to.deep.equal([]);
    expect(app.log.filter(({ msg }) => msg === 'connection lost')).to.have.length(1);
  };
  const half = 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":';
  const whole = 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
  const authorized = `Authorization: Bearer ${forge()}\r\n`;

  for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    it(`halfway through the body (${how}) causes no warning, and the handler does not run`, async () => {
      const socket = await dial(app.url);
      socket.write(`POST /body HTTP/1.1\r\nHost: x\r\n${half}`);
      await (await app.call('/healthz')).text();
      socket[how]();
      expect(await requestLine()).to.include({ method: 'POST', route: '/body', status: 400 });
      expect(handled).to.equal(0);
      expectOnlyConnectionLost();
    });
  }

  for (const [what, body] of Object.entries({ half, whole })) {
    it(`before the body is read (${what}) causes no warning, and the handler does not run`, async () => {
      const blocker = await app.database.connect();
      await blocker.query('begin; lock table users');
      const socket = await dial(app.url);
      socket.write(`POST /v1/body HTTP/1.1\r\nHost: x\r\n${authorized}${body}`);
      await (await app.call('/healthz')).text();
      socket.resetAndDestroy();
      await (await app.call('/healthz')).text();
      await blocker.query('rollback');
      expect(await requestLine()).to.include({ route: '/v1/body', status: 400 });
      expect(handled).to.equal(0);
      expectOnlyConnectionLost();
    });
  }

  it('after the whole request, before the answer, causes no warning, and the handler runs', async () => {
    const blocker = await app.database.connect();
    await blocker.query('begin; lock table users');
    const socket = await dial(app.url);
    socket.write(`GET /v1/count HTTP/1.1\r\nHost: x\r\n${authorized}\r\n`);
    await (await app.call('/healthz')).text();
    socket.resetAndDestroy();
    await (await app.call('/healthz')).text();
    await blocker.query('rollback');
    expect(await requestLine()).to.include({ route: '/v1/count', status: 200 });
    expect(handled).to.equal(1);
    expectOnlyConnectionLost();
  });
});
