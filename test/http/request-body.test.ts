import { once } from 'node:events';
import { request } from 'node:http';
import { expect } from 'chai';
import { MAX_BODY_BYTES } from '../../src/http/middleware/read-json.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';

type Body = RequestInit['body'];

const JSON_TYPE = { 'Content-Type': 'application/json' };

describe("a request's body", () => {
  let app: TestApp;

  before(async () => {
    const echo = {
      takesBody: true,
      handle: ({ body }: { body: unknown }) => body,
      view: (body: unknown) => ({ body }),
    };
    app = await startApp({
      extra: [
        testEndpoint({ ...echo, method: 'POST', path: '/echo', access: 'public' }),
        testEndpoint({ ...echo, method: 'POST', path: '/v1/echo', access: 'account' }),
      ],
    });
    await addAccount(app.database, 'ada@example.com');
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  afterEach(() => {
    expect(app.log.filter(({ level }) => (level as number) >= 50)).to.deep.equal([]);
  });

  const post = (body: Body, headers: Record<string, string> = JSON_TYPE) =>
    app.call('/echo', { method: 'POST', headers, ...(body !== undefined && { body }) });

  const read: [what: string, body: string, value: unknown][] = [
    ['an object', '{"a":[1,2,{"b":null}]}', { a: [1, 2, { b: null }] }],
    ['a list', '[]', []],
    ['a string', '"é💚"', 'é💚'],
    ['null', 'null', null],
    ['JSON in whitespace', ' \r\n\t{} \n', {}],
    ['JSON after a byte order mark', '\ufeff{}', {}],
  ];
  for (const [what, body, value] of read) {
    it(`is read when it is ${what}`, async () => {
      const response = await post(body);
      expect(response.status).to.equal(200);
      expect(await response.json()).to.deep.equal({ body: value });
    });
  }

  it('is read as UTF-8, whatever charset its type names', async () => {
    const response = await post('"é"', { 'Content-Type': 'Application/JSON; charset=iso-8859-1' });
    expect(await response.json()).to.deep.equal({ body: 'é' });
  });

  it('is read up to 100 KiB', async () => {
    const body = JSON.stringify('x'.repeat(MAX_BODY_BYTES - 2));
    expect(MAX_BODY_BYTES).to.equal(102_400);
    expect((await post(body)).status).to.equal(200);
  });

  const malformed: [what: string, body: Body][] = [
    ['truncated', '{"a":'],
    ['not JSON at all', 'a=1&b=2'],
    ['JavaScript', "{a: 'b'}"],
    ['two values', '{}{}'],
    ['a number that JSON does not have', 'NaN'],
    ['only spaces', '   '],
    ['empty', ''],
    ['invalid UTF-8', new Uint8Array([0x22, 0xc3, 0x28, 0x22])],
    ['half a character', new Uint8Array([0x22, 0xf0, 0x9f, 0x92, 0x22])],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
  ];
  for (const [what, body] of malformed) {
    it(`is refused with 400 when it is ${what}`, async () => {
      const { errors } = await expectProblem(await post(body), 400, 'malformed_json');
      expect(errors).to.have.length(1);
      const [error] = errors as Record<string, string>[];
      expect(error).to.have.keys('path', 'message');
      expect(error?.['path']).to.equal('');
    });
  }

  const wrong: [what: string, body: Body, headers: Record<string, string>][] = [
    ['of another type', '{}', { 'Content-Type': 'text/plain' }],
    ['a form', new URLSearchParams({ a: '1' }), {}],
    ['of a type similar to JSON', '{}', { 'Content-Type': 'application/json-patch+json' }],
    ['of an invalid type', '{}', { 'Content-Type': 'json' }],
    ['without a type', new Uint8Array([0x7b, 0x7d]), {}],
    ['missing', undefined, {}],
    ['compressed', '{}', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }],
  ];
  for (const [what, body, headers] of wrong) {
    it(`is refused with 415 when it is ${what}`, async () => {
      await expectProblem(await post(body, headers), 415, 'unsupported_media_type');
    });
  }

  it('is refused with 413 before it is sent when its announced length is too large', async () => {
    const message = request(new URL('/echo', app.url), {
      method: 'POST',
      headers: { ...JSON_TYPE, 'Content-Length': MAX_BODY_BYTES + 1 },
    }).on('error', () => undefined);
    message.flushHeaders();
    const [response] = await once(message, 'response');
    expect(response.statusCode).to.equal(413);
    message.destroy();
  });

  it('is refused with 413 when it is a stream that grows too large', async () => {
    let sent = 0;
    const chunk = new Uint8Array(16 * 1024).fill(0x20);
    const endless = new ReadableStream({
      pull(controller) {
        sent += chunk.length;
        if (sent > 10 * MAX_BODY_BYTES) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const response = await app.call('/echo', {
      method: 'POST',
      headers: JSON_TYPE,
      body: endless,
      duplex: 'half',
    });
    const { detail } = await expectProblem(response, 413, 'body_too_large');
    expect(detail).to.equal('The body is too large: send at most 102400 bytes.');
  });

  it('is refused with 413 when it is one byte too large', async () => {
    await expectProblem(await post(`${' '.repeat(MAX_BODY_BYTES - 1)}{}`), 413, 'body_too_large');
  });

  const rest = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const large = ' '.repeat(10 * MAX_BODY_BYTES);
  const unread: [what: string, status: number, headers: string, body: string][] = [
    ['announced as too large', 413, `application/json\r\nContent-Length: ${large.length}`, large],
    [
      'too large but not announced as such',
      413,
      'application/json\r\nTransfer-Encoding: chunked',
      chunked(large),
    ],
    ['of another type', 415, `text/plain\r\nContent-Length: ${large.length}`, large],
  ];
  for (const [what, status, headers, body] of unread) {
    it(`leaves its connection usable when it is ${what}`, async () => {
      const head = `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: ${headers}\r\n\r\n`;
      const answers = await sendRaw(app.url, head + body + rest);
      expect(answers.match(/HTTP\/1\.1 \d+/g)).to.deep.equal([`HTTP/1.1 ${status}`, 'HTTP/1.1 200']);
    });
  }

  it('is not read when authentication fails', async () => {
    const response = await app.call('/v1/echo', { method: 'POST', headers: JSON_TYPE, body: '{"a":' });
    await expectProblem(response, 401, 'unauthenticated');
  });

  it('is not read where none is accepted', async () => {
    const response = await app.call('/v1/me', { method: 'POST', headers: JSON_TYPE, body: '{"a":' });
    await expectProblem(response, 405, 'method_not_allowed');
  });
});

function chunked(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
}
