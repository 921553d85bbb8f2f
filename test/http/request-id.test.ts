import { expect } from 'chai';
import { startApp, type TestApp } from '../support/app.ts';
import { sendRaw } from '../support/raw-http.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a request's id", () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  /** Asks with these bytes as `X-Request-Id`, as no client would send them, and returns the id of the answer. */
  const askWith = async (...lines: string[]) => {
    const head = `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`;
    const answer = await sendRaw(app.url, Buffer.from(head));
    return /^x-request-id: (.*)\r$/im.exec(answer)?.[1];
  };

  for (const sane of [
    'a',
    '42',
    '3f2c7c54-9e9d-4a8b-8e0f-5b6f1f0d6c3a',
    'Root=1-67891233:a/b+c=.',
    'x'.repeat(128),
  ]) {
    it(`is the caller's, in the answer and in the log: ${sane}`, async () => {
      const response = await app.call('/healthz', { headers: { 'X-Request-Id': sane } });
      expect(response.headers.get('x-request-id')).to.equal(sane);
      expect(app.log).to.have.length(1);
      expect(app.log[0]).to.include({ msg: 'request', requestId: sane });
    });
  }

  const insane: [what: string, value: string][] = [
    ['is empty', ''],
    ['is blanks', '   '],
    ['is too long', 'x'.repeat(129)],
    ['has blanks in it', 'a b'],
    ['has a tab in it', 'a\tb'],
    ['has what some take for a new line', 'a\u0085b'],
    ['has a line separator', 'a\u2028b'],
    ['has an escaped new line', 'a\\nb'],
    ['has an encoded new line', 'a%0d%0ab'],
    ['has quotes', 'a"b'],
    ['has markup', '<script>'],
    ['has a semicolon', 'a;b'],
    ['has letters beyond ASCII', 'é'],
    ['has brackets', '[a]'],
  ];
  for (const [what, value] of insane) {
    it(`is one of our own where the caller's ${what}`, async () => {
      const id = await askWith(`X-Request-Id: ${value}`);
      expect(id).to.match(UUID);
      expect(app.log[0]).to.include({ msg: 'request', requestId: id });
    });
  }

  it("is one of our own where the caller's comes twice", async () => {
    expect(await askWith('X-Request-Id: a', 'X-Request-Id: b')).to.match(UUID);
  });

  it('is one of our own where the caller has none, and another one each time', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => askWith()));
    for (const id of ids) expect(id).to.match(UUID);
    expect(new Set(ids)).to.have.property('size', 20);
  });

  it('is on errors too', async () => {
    const response = await app.call('/nowhere', { headers: { 'X-Request-Id': 'mine' } });
    expect(response.headers.get('x-request-id')).to.equal('mine');
    expect(await response.json()).to.include({ requestId: 'mine' });
  });
});
