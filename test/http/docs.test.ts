import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';

const POLICY =
  "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'";

const TYPES: Record<string, string> = {
  'docs.css': 'text/css; charset=utf-8',
  'docs.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
};

/** Of a caller that takes nothing compressed. */
const PLAIN = { headers: { 'Accept-Encoding': 'identity' } };

describe('GET /docs', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  it('serves a public page with a policy of its own that allows no inline script and no other host', async () => {
    for (const path of ['/docs', '/docs/']) {
      const response = await app.call(path);
      expect(response.status).to.equal(200);
      expect(response.headers.get('content-type')).to.equal('text/html; charset=utf-8');
      expect(response.headers.get('content-security-policy')).to.equal(POLICY);
      expect(response.headers.get('cache-control')).to.equal('no-cache');
      expect(response.headers.get('x-content-type-options')).to.equal('nosniff');
      const page = await response.text();
      expect(page).not.to.match(/<script(?![^>]* src=)|<style|style=|https?:|\son\w+=/);
    }
  });

  it('links to existing files of its own, with the content types that a strict browser requires', async () => {
    const page = await (await app.call('/docs')).text();
    const links = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = '']) => path);
    const files = Object.keys(TYPES).map((name) => `/docs/${name}`);
    expect(new Set(links)).to.have.keys(...files, '/openapi.json', '/console');
    for (const file of files) {
      const response = await app.call(file, PLAIN);
      const bytes = Buffer.from(await response.arrayBuffer());
      expect(response.status).to.equal(200);
      expect(response.headers.get('content-type')).to.equal(TYPES[file.slice('/docs/'.length)]);
      expect(response.headers.get('content-length')).to.equal(`${bytes.length}`);
      expect(response.headers.get('cache-control')).to.equal('no-cache');
      const hash = createHash('sha256').update(bytes).digest('base64url');
      expect(response.headers.get('etag')).to.equal(`"${hash}"`);
    }
    const script = await (await app.call('/docs/docs.js')).text();
    expect(script)
      .to.match(/validatorUrl:null/)
      // The names of SVG and MathML.
      .and.not.to.match(/https?:(?!\/\/www\.w3\.org\/)/);
    expect(await (await app.call('/docs/docs.css')).text()).to.not.match(/@import|https?:/);
  });

  it('does not lead to a console that is off', async () => {
    const other = await startApp({ console: false });
    const page = await (await other.call('/docs')).text();
    expect(page).to.include('/openapi.json').and.not.to.include('/console');
    expect((await other.call('/docs/docs.css')).status).to.equal(200);
    await other.close();
  });

  it('serves the files of the package byte for byte, the style sheet in a layer', async () => {
    const frames = { 'swagger-ui-bundle.js': ['', ''], 'swagger-ui.css': ['@layer library {', '\n}\n'] };
    for (const [name, [start, end]] of Object.entries(frames)) {
      const original = await readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)), 'utf8');
      expect((await (await app.call(`/docs/${name}`)).text()) === `${start}${original}${end}`, name).to.equal(
        true,
      );
    }
  });

  it('compresses what gets shorter by that, for those who take it, and gives that a tag of its own', async () => {
    for (const path of ['/openapi.json', '/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js']) {
      const plain = await app.call(path, PLAIN);
      const short = await app.call(path, { headers: { 'Accept-Encoding': 'br, gzip;q=0.5' } });
      expect(plain.headers.get('content-encoding')).to.equal(null);
      expect(short.headers.get('content-encoding'), path).to.equal('gzip');
      for (const { headers } of [plain, short]) expect(headers.get('vary')).to.include('Accept-Encoding');
      const length = async (answer: Response) => Number(answer.headers.get('content-length'));
      expect(await length(short)).to.be.lessThan((await length(plain)) * 0.9);
      expect(await short.text()).to.equal(await plain.text());
      const tag = plain.headers.get('etag') ?? '';
      expect(short.headers.get('etag')).to.equal(tag.replace(/"$/, '-gzip"'));
    }
    for (const refused of ['gzip;q=0', 'br', `gzip, ${'x, '.repeat(1_000)}`]) {
      const answer = await app.call('/docs/swagger-ui.css', { headers: { 'Accept-Encoding': refused } });
      expect(answer.headers.get('content-encoding'), refused.slice(0, 20)).to.equal(null);
    }
  });

  it('answers HEAD with the length', async () => {
    const head = await app.call('/docs/swagger-ui.css', { ...PLAIN, method: 'HEAD' });
    expect(head.status).to.equal(200);
    expect(Number(head.headers.get('content-length'))).to.be.greaterThan(100_000);
  });

  for (const path of ['/docs', '/openapi.json', ...Object.keys(TYPES).map((name) => `/docs/${name}`)]) {
    it(`confirms ${path} with the headers of its 200, as caches replace them`, async () => {
      const { headers } = await app.call(path);
      // By default, `fetch` adds "no-cache" to a conditional request.
      const condition = { 'If-None-Match': headers.get('etag') ?? '', 'Cache-Control': 'max-age=0' };
      for (const method of ['GET', 'HEAD']) {
        const known = await app.call(path, { method, headers: condition });
        expect(known.status).to.equal(304);
        expect(await known.text()).to.equal('');
        const own = (all: Headers) =>
          [...all].filter(
            ([name]) => !/^(content-(type|length)|connection|keep-alive|date|x-request-id)$/.test(name),
          );
        expect(own(known.headers)).to.deep.equal(own(headers));
      }
    });
  }

  it('serves no other file of the package, and none from elsewhere', async () => {
    const others = [
      'package.json',
      'index.js',
      'index.html',
      'swagger-ui-bundle.js.map',
      'constructor',
      '__proto__',
      '%2e%2e%2fpackage.json',
      '..%2fzod%2fpackage.json',
      '..%5c..%5cpackage.json',
      '%2fetc%2fpasswd',
      'swagger-ui.css%00.png',
      'SWAGGER-UI.CSS',
    ];
    for (const name of others) await expectProblem(await app.call(`/docs/${name}`), 404, 'not_found');
  });

  it('does not leave its folder for a path written by hand', async () => {
    for (const path of [
      '/docs/../../package.json',
      '/docs/../package.json',
      '/docs//etc/passwd',
      '/docs/%',
    ]) {
      const answer = await sendRaw(app.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer, path).to.match(/^HTTP\/1\.1 40[04] /);
      expect(answer).to.include('application/problem+json');
    }
  });
});
