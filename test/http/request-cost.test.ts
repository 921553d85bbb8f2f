import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { closed, dial, sendRaw } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';

const ADA = 'ada@example.com';

/** Lengths up to what Node.js reads of a request's head, 32 KiB. */
const LENGTHS = [1_000, 4_000, 15_700, 32_000];

/** A text of about this length. */
const fill = (unit: string, length: number) => unit.repeat(length / unit.length);

/** A query of about this length, of different names. */
const names = (length: number) => Array.from({ length: length / 4 }, (_, n) => n.toString(36)).join('&');

describe('a request that costs more to read than to send', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({
      trustProxy: ['10.0.0.0/8', '127.0.0.1'],
      corsOrigins: ['https://app.example.com'],
    });
    await addAccount(app.database, ADA, { role: 'admin' });
  });

  after(() => app.close());

  /** Sends a head, which may be invalid HTTP for other clients, and returns the status. */
  const statusOf = async (start: string, ...headers: string[]) => {
    const head = [`${start} HTTP/1.1`, 'Host: x', 'Connection: close', 'Content-Length: 0', ...headers];
    const answer = await sendRaw(app.url, Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'));
    return Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
  };

  const strangers: [
    what: string,
    status: number,
    start: (n: number) => string,
    header?: (n: number) => string,
  ][] = [
    ['empty cookies', 401, () => 'GET /v1/me', (n) => `Cookie: ${fill(';', n)}`],
    ['cookies of one name', 401, () => 'GET /v1/me', (n) => `Cookie: ${fill('a;', n)}`],
    ['one session cookie', 401, () => 'GET /v1/me', (n) => `Cookie: ${fill('authjs.session-token=a;', n)}`],
    ['one cookie of the console', 401, () => 'GET /v1/me', (n) => `Cookie: ${fill('__Host-rollcall=a;', n)}`],
    [
      'a long cookie of the console',
      401,
      () => 'GET /v1/me',
      (n) => `Cookie: __Host-rollcall=${fill('a', n)}`,
    ],
    [
      'a long sign-in to the console',
      303,
      () => 'GET /v1/session/oidc/callback?code=x',
      (n) => `Cookie: __Host-rollcall-sign-in=${fill('a.', n)}`,
    ],
    ['slashes to return to', 303, (n) => `GET /v1/session/oidc?returnTo=/console/${fill('/', n)}`],
    ['equals signs', 401, () => 'GET /v1/me', (n) => `Cookie: ${fill('=', n)}`],
    ['parameters', 400, (n) => `GET /healthz?${names(n)}`],
    ['parameters of one name', 400, (n) => `GET /openapi.json?${fill('a&', n)}`],
    ['parameters for a path that does not exist', 404, (n) => `GET /nothing?${names(n)}`],
    ['slashes', 404, (n) => `GET ${fill('/', n)}`],
    ['percent signs', 401, (n) => `GET /v1/users/${fill('%', n)}`],
    ['addresses', 401, () => 'GET /v1/me', (n) => `X-Forwarded-For: ${fill('10.0.0.1,', n)}`],
    ['commas for addresses', 401, () => 'GET /v1/me', (n) => `X-Forwarded-For: ${fill(',', n)}`],
    ['hosts', 401, () => 'PATCH /v1/me', (n) => `X-Forwarded-Host: ${fill(',', n)}`],
    ['a long origin', 401, () => 'PATCH /v1/me', (n) => `Origin: http://${fill('\xe4', n)}`],
    ['blanks before a token', 401, () => 'GET /v1/me', (n) => `Authorization: Bearer ${fill(' ', n)}`],
    ['parts of a token', 401, () => 'GET /v1/me', (n) => `Authorization: Bearer ${fill('a.', n)}`],
    ['a long service token', 401, () => 'GET /v1/me', (n) => `Authorization: Bearer rc_${fill('a', n)}`],
    ['quotes', 200, () => 'GET /openapi.json', (n) => `If-None-Match: ${fill('"', n)}`],
    ['weak tags', 200, () => 'GET /openapi.json', (n) => `If-None-Match: ${fill('"W/', n)}`],
    ['media types', 200, () => 'GET /docs', (n) => `Accept: "${fill(',', n)}`],
    ['a long request id', 200, () => 'GET /healthz', (n) => `X-Request-Id: ${fill('a', n)}`],
    ['a long trace', 200, () => 'GET /healthz', (n) => `traceparent: ${fill('a-', n)}`],
    [
      'headers to allow',
      204,
      () => 'OPTIONS /v1/me',
      (n) =>
        `Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: ${fill('a,', n)}`,
    ],
  ];
  for (const [what, status, start, header] of strangers) {
    it(`is answered whatever its length, from anybody: ${what}`, async () => {
      for (const length of LENGTHS) {
        const headers = header === undefined ? [] : [header(length)];
        expect(await statusOf(start(length), ...headers), `${length}`).to.equal(status);
      }
    });
  }

  const known: [what: string, status: number, start: string, header: (n: number) => string][] = [
    ['media types', 406, 'GET /v1/changes', (n) => `Accept: "${fill(',', n)}`],
    ['parameters of a media type', 406, 'GET /v1/changes', (n) => `Accept: a/b;"${fill(';', n)}`],
    ['tags', 412, 'DELETE /v1/me', (n) => `If-Match: ${fill('"W/', n)}`],
    ['a content type', 415, 'PATCH /v1/me', (n) => `Content-Type: application/json${fill(' ', n)}x`],
  ];
  for (const [what, status, start, header] of known) {
    it(`is answered whatever its length, from an admin: ${what}`, async () => {
      const authorization = `Authorization: Bearer ${forge({ claims: { email: ADA } })}`;
      for (const length of [1_000, 4_000, 15_000]) {
        expect(await statusOf(start, authorization, header(length)), `${length}`).to.equal(status);
      }
    });
  }

  it('is refused with more than 1,000 cookies, and takes the session from among 1,000', async () => {
    const cookie = (others: number) =>
      `${fill(';', others)}authjs.session-token=${forge({ claims: { email: ADA } })}`;
    const me = (others: number) => app.call('/v1/me', { headers: { Cookie: cookie(others) } });
    expect((await me(999)).status).to.equal(200);
    const response = await me(1_000);
    expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_token"');
    await expectProblem(response, 401, 'unauthenticated');
  });

  it('is refused with more than 100 parameters, which are not looked at', async () => {
    for (const [path, as] of [
      ['/healthz', undefined],
      ['/v1/users', ADA],
    ] as const) {
      const problem = async (count: number) => {
        const query = Array.from({ length: count }, (_, n) => `p${n}`).join('&');
        const response = await app.call(`${path}?${query}`, { ...(as && { as }) });
        return (await expectProblem(response, 400, 'invalid_query'))['errors'] as {
          path: string;
          message: string;
        }[];
      };
      expect(await problem(100)).to.have.length(100);
      expect(await problem(101)).to.deep.equal([
        { path: '', message: 'Must have at most 100 parameters, not 101.' },
      ]);
    }
  });

  it('may not go on for long after it was refused', async () => {
    for (const start of ['POST /v1/users', 'POST /v1/users/import', 'POST /healthz', 'GET /nothing']) {
      const socket = await dial(app.url);
      let answer = '';
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
      });
      socket.write(
        `${start} HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n`,
      );
      const sending = setInterval(() => socket.write('x'), 100);
      await closed(socket);
      clearInterval(sending);
      expect(answer, start).to.match(/^HTTP\/1\.1 40[145] .*"code":/s);
    }
  });

  it('keeps its connection when all of it has arrived', async () => {
    const request = (connection: string) =>
      `POST /v1/users HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`;
    const answer = await sendRaw(app.url, request('keep-alive') + request('close'));
    expect(answer.match(/HTTP\/1\.1 401 /g)).to.have.length(2);
  });

  it('may have an Accept of 2,048 characters', async () => {
    const status = async (length: number) => {
      const headers = { Accept: `${fill('a/b,', length - 16)}application/json` };
      return (await app.call('/v1/changes', { as: ADA, headers })).status;
    };
    expect([await status(2_048), await status(2_052)]).to.deep.equal([200, 406]);
  });
});
