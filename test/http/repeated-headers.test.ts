import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { sendRaw } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';

describe('the headers of a request', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
    await addAccount(app.database, 'ada@example.com', { role: 'admin' });
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  /** Sends these lines as they are. */
  const send = async (start: string, lines: readonly string[], body = '') => {
    const answer = await sendRaw(app.url, [start, ...lines, 'Connection: close', '', body].join('\r\n'));
    const [head = '', content = ''] = answer.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), head, content };
  };

  const hosts: [what: string, start: string, lines: readonly string[], status: number][] = [
    ['one', 'GET /healthz HTTP/1.1', ['Host: rollcall.example.com'], 200],
    ['one in capitals, with a port', 'GET /healthz HTTP/1.1', ['HOST: ROLLCALL.example.com:8000'], 200],
    ['an IPv6 address', 'GET /healthz HTTP/1.1', ['Host: [2001:db8::1]:8000'], 200],
    ['a name with an underscore', 'GET /healthz HTTP/1.1', ['Host: my_service'], 200],
    ['an empty one', 'GET /healthz HTTP/1.1', ['Host:'], 200],
    ['none in HTTP/1.0', 'GET /healthz HTTP/1.0', [], 200],
    ['none', 'GET /healthz HTTP/1.1', [], 400],
    ['two', 'GET /healthz HTTP/1.1', ['Host: a.example.com', 'Host: b.example.com'], 400],
    ['the same twice', 'GET /healthz HTTP/1.1', ['Host: x', 'hOST: x'], 400],
    ['two in HTTP/1.0', 'GET /healthz HTTP/1.0', ['Host: x', 'Host: y'], 400],
    ['two at a path that does not exist', 'GET /nothing HTTP/1.1', ['Host: x', 'Host: y'], 400],
    ['a list', 'GET /healthz HTTP/1.1', ['Host: x, y'], 400],
    ['a path', 'GET /healthz HTTP/1.1', ['Host: x/y'], 400],
    ['an account', 'GET /healthz HTTP/1.1', ['Host: x@y'], 400],
    ['a port that is no number', 'GET /healthz HTTP/1.1', ['Host: x:http'], 400],
    ['two ports', 'GET /healthz HTTP/1.1', ['Host: x:80:80'], 400],
    ['half a percent-encoding', 'GET /healthz HTTP/1.1', ['Host: x%2'], 400],
    ['letters beyond ASCII', 'GET /healthz HTTP/1.1', ['Host: m\u00fcnchen.example'], 400],
  ];
  for (const [what, start, lines, status] of hosts) {
    it(`have one valid Host (RFC 9112, section 3.2): ${what}`, async () => {
      const answer = await send(start, lines);
      expect(answer.status).to.equal(status);
      if (status === 200) return;
      expect(JSON.parse(answer.content)).to.include({ status, code: 'malformed_request' });
      expect(app.log.map(({ msg, status: logged }) => [msg, logged])).to.deep.equal([['request', status]]);
    });
  }

  /** Twice in a change of a name: a field of which only one is used must refuse it, or make no difference. */
  const repeated: [what: string, lines: readonly string[], status: number, code?: string][] = [
    ['Authorization', [`Authorization: Bearer ${forge()}`], 401, 'unauthenticated'],
    ['Content-Length', ['Content-Length: 14'], 400, 'malformed_request'],
    [
      'Transfer-Encoding',
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      400,
      'malformed_request',
    ],
    ['Content-Encoding', ['Content-Encoding:', 'Content-Encoding: gzip'], 415, 'unsupported_media_type'],
    ['Content-Type', ['Content-Type: text/plain'], 200],
    ['Idempotency-Key', ['Idempotency-Key: "a"', 'Idempotency-Key: "b"'], 400, 'idempotency_key_invalid'],
    ['Rollcall-Reason', ['Rollcall-Reason: a', 'Rollcall-Reason: b'], 400, 'reason_invalid'],
    ['If-Match of which none is current', ['If-Match: "7"', 'If-Match: "8"'], 412, 'precondition_failed'],
    ['If-Match that would be any', ['If-Match: "7"', 'If-Match: *'], 412, 'precondition_failed'],
    ['If-Match of which one is current', ['If-Match: "7"', 'If-Match: "1"'], 200],
    ['X-Request-Id', ['X-Request-Id: a', 'X-Request-Id: b'], 200],
  ];
  for (const [what, lines, status, code] of repeated) {
    it(`may not say two things: ${what}`, async () => {
      await app.database.query('update users set version = 1, name = null');
      const own = [
        'Host: x',
        `Authorization: Bearer ${forge()}`,
        'Content-Type: application/json',
        ...(what === 'Transfer-Encoding' ? [] : ['Content-Length: 14']),
      ];
      const {
        status: answered,
        head,
        content,
      } = await send('PATCH /v1/me HTTP/1.1', [...own, ...lines], '{"name":"Ada"}');
      expect(answered, content).to.equal(status);
      if (code !== undefined) expect(JSON.parse(content)).to.include({ code });
      expect((await accountsIn(app.database))[0]?.name).to.equal(code === undefined ? 'Ada' : null);
      expect(head).not.to.match(/^X-Request-Id: a(,|$)/m);
    });
  }

  it('may not say two things: a session cookie', async () => {
    const cookie = `Cookie: authjs.session-token=${forge()}`;
    const { status } = await send('GET /v1/me HTTP/1.1', ['Host: x', cookie, cookie]);
    expect(status).to.equal(401);
  });
});
