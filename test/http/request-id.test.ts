import { expect } from 'chai';
import { startApp, type TestApp } from '../support/app.ts';
import { sendRaw } from '../support/raw-http.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a request's id", () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({ logLevel: 'debug' });
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  /** Sends raw header lines that no HTTP client would send, and returns the request id of the answer. */
  const callWith = async (...lines: string[]) => {
    const head = `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`;
    const answer = await sendRaw(app.url, Buffer.from(head));
    return /^x-request-id: (.*)\r$/im.exec(answer)?.[1];
  };

  for (const valid of [
    'a',
    '42',
    '3f2c7c54-9e9d-4a8b-8e0f-5b6f1f0d6c3a',
    'Root=1-67891233:a/b+c=.',
    'x'.repeat(128),
  ]) {
    it(`is the caller's, in the answer and in the log: ${valid}`, async () => {
      const response = await app.call('/healthz', { headers: { 'X-Request-Id': valid } });
      expect(response.headers.get('x-request-id')).to.equal(valid);
      expect(app.log).to.have.length(1);
      expect(app.log[0]).to.include({ msg: 'request', requestId: valid });
    });
  }

  const invalid: [what: string, value: string][] = [
    ['is empty', ''],
    ['is only spaces', '   '],
    ['is too long', 'x'.repeat(129)],
    ['contains a space', 'a b'],
    ['contains a tab', 'a\tb'],
    ['has a NEL character, which some read as a new line', 'a\u0085b'],
    ['has a line separator', 'a\u2028b'],
    ['has an escaped new line', 'a\\nb'],
    ['has an encoded new line', 'a%0d%0ab'],
    ['has quotes', 'a"b'],
    ['has markup', '<script>'],
    ['has a semicolon', 'a;b'],
    ['has a letter outside ASCII', 'é'],
    ['has brackets', '[a]'],
  ];
  for (const [what, value] of invalid) {
    it(`is generated when the caller's ${what}, which is logged beside it`, async () => {
      const id = await callWith(`X-Request-Id: ${value}`);
      expect(id).to.match(UUID);
      const kept = Buffer.from(value).toString('latin1').trim();
      const isLong = kept.length > 128;
      expect(app.log[0]).to.include({ msg: 'request', requestId: id });
      expect(app.log[0]?.['clientRequestId']).to.equal(
        kept === '' ? undefined : kept.slice(0, 128).replace(/[^ -~]/g, '?') + (isLong ? '...' : ''),
      );
    });
  }

  for (const token of [
    'eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJl',
    'rc_mFq3nQ9vXb2LkT7cWz5RyHs8JdGf4PaNuEoViKtBxCD1Ze0Yh6Mw',
  ]) {
    it(`is generated when the caller sends a token, which is not logged: ${token}`, async () => {
      expect(await callWith(`X-Request-Id: ${token}`)).to.match(UUID);
      expect(app.log[0]).to.include({ clientRequestId: '[redacted]' });
    });
  }

  it('is generated when the caller sends two', async () => {
    expect(await callWith('X-Request-Id: a', 'X-Request-Id: b')).to.match(UUID);
    expect(app.log[0]).to.include({ clientRequestId: 'a, b' });
  });

  it('is generated when the caller sends none, and differs each time', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => callWith()));
    for (const id of ids) expect(id).to.match(UUID);
    expect(new Set(ids)).to.have.property('size', 20);
  });

  it('is on error responses, too', async () => {
    const response = await app.call('/nowhere', { headers: { 'X-Request-Id': 'mine' } });
    expect(response.headers.get('x-request-id')).to.equal('mine');
    expect(await response.json()).to.include({ requestId: 'mine' });
  });
});
