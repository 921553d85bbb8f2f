import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import Koa from 'koa';
import pino from 'pino';
import type { RequestState } from '../../src/http/context.ts';
import { refuseCrossSite } from '../../src/http/middleware/cross-site.ts';
import { problems } from '../../src/http/middleware/problems.ts';
import { requestId } from '../../src/http/middleware/request-id.ts';
import { forwarded, type TrustProxy } from '../../src/http/request/forwarded.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp } from '../support/app.ts';
import { sendRaw } from '../support/raw-http.ts';

const APP = 'https://app.example.com';
const PHONE = 'capacitor://localhost';
const OTHER = 'https://evil.example.net';
const HOST = 'rollcall.example.com';

describe('a request with a cookie', () => {
  let server: Server;
  let url: string;
  let credential: RequestState['credential'];
  let trust: TrustProxy;

  before(async () => {
    const app = new Koa<RequestState>();
    app.use(requestId(pino({ level: 'silent' })));
    app.use(problems((error) => error));
    app.use(async (ctx, next) => {
      if (credential !== undefined) ctx.state.credential = credential;
      await refuseCrossSite(new Set([APP, PHONE]), forwarded(trust))(ctx, next);
    });
    app.use(async (ctx) => {
      ctx.body = 'done';
    });
    server = createServer(app.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => server.close());

  beforeEach(() => {
    credential = 'cookie';
    trust = 0;
  });

  interface Sent {
    readonly method?: string;
    /** `Sec-Fetch-Site`. */
    readonly site?: string;
    readonly origin?: string;
    readonly host?: string;
    readonly more?: string[];
  }

  const send = async ({ method = 'POST', site, origin, host = HOST, more = [] }: Sent) => {
    const head = [`${method} /v1/me HTTP/1.1`, `Host: ${host}`, 'Content-Length: 0', 'Connection: close'];
    if (site !== undefined) head.push(`Sec-Fetch-Site: ${site}`);
    if (origin !== undefined) head.push(`Origin: ${origin}`);
    const answer = await sendRaw(url, `${[...head, ...more].join('\r\n')}\r\n\r\n`);
    return { status: Number(answer.split(' ')[1]), body: answer.split('\r\n\r\n')[1] ?? '' };
  };

  const passes: Sent[] = [
    { site: 'same-origin' },
    { site: 'same-origin', origin: `https://${HOST}` },
    // A proxy changed the host; the browser knows the real one.
    { site: 'same-origin', origin: 'https://elsewhere.example.com' },
    { site: 'cross-site', origin: APP },
    { site: 'same-site', origin: APP },
    { site: 'cross-site', origin: PHONE },
    { origin: PHONE },
    { site: 'none', origin: APP },
    { origin: APP },
    { origin: `https://${HOST}` },
    { origin: `http://${HOST}` },
    { origin: `https://${HOST}`, host: `${HOST}:443` },
    { origin: `http://${HOST}`, host: `${HOST}:80` },
    { origin: 'http://127.0.0.1:8000', host: '127.0.0.1:8000' },
    { origin: 'http://[::1]:8000', host: '[::1]:8000' },
    { origin: `https://${HOST}`, host: HOST.toUpperCase() },
    ...['GET', 'HEAD', 'OPTIONS'].flatMap((method) => [
      { method },
      { method, site: 'cross-site', origin: OTHER },
      { method, site: 'none' },
    ]),
    ...['PUT', 'PATCH', 'DELETE'].map((method) => ({ method, site: 'same-origin' })),
  ];
  for (const sent of passes) {
    it(`passes: ${JSON.stringify(sent)}`, async () => {
      expect((await send(sent)).status).to.equal(200);
    });
  }

  const refused: Sent[] = [
    {},
    { site: 'cross-site' },
    { site: 'cross-site', origin: OTHER },
    { site: 'cross-site', origin: 'tauri://localhost' },
    { origin: `tauri://${HOST}` },
    { site: 'same-site' },
    { site: 'same-site', origin: 'https://sister.example.com' },
    { site: 'none' },
    { site: 'none', origin: OTHER },
    // What the browser says outweighs the origin: this page was loaded over plain HTTP.
    { site: 'cross-site', origin: `http://${HOST}` },
    { site: 'same-site', origin: `https://${HOST}:8443`, host: `${HOST}:8443` },
    { site: '' },
    { site: 'Same-Origin' },
    { site: 'same-origin, cross-site', origin: OTHER },
    { site: 'nonsense', origin: `https://${HOST}` },
    { origin: OTHER },
    { origin: 'null' },
    { origin: '' },
    { origin: 'nonsense' },
    { origin: 'file://' },
    { origin: `${APP}.evil.example.net` },
    { origin: `${APP}:8443` },
    { origin: `${APP}/` },
    { origin: APP.toUpperCase() },
    { origin: APP.replace('https', 'http') },
    { origin: `${APP}, ${OTHER}` },
    { origin: `https://${HOST}:8443` },
    { origin: `https://${HOST}.evil.example.net` },
    { origin: `https://evil.${HOST}` },
    { origin: `https://evil.example.net@${HOST}` },
    { origin: `https://${HOST}/`, host: HOST },
    // The other scheme's default port.
    { origin: `http://${HOST}`, host: `${HOST}:443` },
    { origin: OTHER, more: [`X-Forwarded-Host: ${new URL(OTHER).host}`] },
    { origin: OTHER, more: [`Referer: https://${HOST}/`] },
    { origin: OTHER, more: ['Authorization: Bearer nonsense'] },
    { site: 'cross-site', origin: OTHER, more: ['X-HTTP-Method-Override: GET'] },
    ...['PUT', 'PATCH', 'DELETE', 'PURGE'].map((method) => ({ method, site: 'cross-site', origin: OTHER })),
  ];
  for (const sent of refused) {
    it(`is refused: ${JSON.stringify(sent)}`, async () => {
      const { status, body } = await send(sent);
      expect(status).to.equal(403);
      expect(JSON.parse(body)).to.include({ status: 403, code: 'cross_site', title: 'Forbidden' });
    });
  }

  it('is checked against the forwarded host when the proxy is trusted', async () => {
    const own = { origin: 'https://public.example.com', more: ['X-Forwarded-Host: public.example.com'] };
    expect((await send(own)).status).to.equal(403);
    trust = ['127.0.0.1'];
    expect((await send(own)).status).to.equal(200);
    expect((await send({ origin: `https://${HOST}`, more: own.more })).status).to.equal(403);
    expect((await send({ origin: `https://${HOST}` })).status).to.equal(200);
  });

  it('is assumed unless the credential is a bearer token', async () => {
    credential = undefined;
    expect((await send({ site: 'cross-site', origin: OTHER })).status).to.equal(403);
    expect((await send({ site: 'same-origin' })).status).to.equal(200);
    credential = 'bearer';
    expect((await send({ site: 'cross-site', origin: OTHER })).status).to.equal(200);
    expect((await send({})).status).to.equal(200);
  });
});

describe('a request with a bearer token', () => {
  it('passes from any site, because no browser adds one by itself', async () => {
    const app = await startApp();
    await addAccount(app.database, 'ada@example.com');
    for (const site of ['cross-site', 'same-site', 'none']) {
      const response = await app.call('/v1/me', {
        method: 'PATCH',
        as: 'ada@example.com',
        headers: { 'Content-Type': 'application/json', 'Sec-Fetch-Site': site, Origin: OTHER },
        body: `{"name":"${site}"}`,
      });
      expect(response.status).to.equal(200);
      expect(response.headers.has('access-control-allow-origin')).to.equal(false);
    }
    await app.close();
  });
});
