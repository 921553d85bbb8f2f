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
  'favicon-32x32.png': 'image/png',
  'index.css': 'text/css; charset=utf-8',
  'initializer.js': 'text/javascript; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
};

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
    const files = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = '']) => path);
    expect(files).to.have.members(Object.keys(TYPES).map((name) => `/docs/${name}`));
    for (const file of files) {
      const response = await app.call(file);
      const bytes = Buffer.from(await response.arrayBuffer());
      expect(response.status).to.equal(200);
      expect(response.headers.get('content-type')).to.equal(TYPES[file.slice('/docs/'.length)]);
      expect(response.headers.get('content-length')).to.equal(`${bytes.length}`);
      expect(response.headers.get('cache-control')).to.equal('no-cache');
      const hash = createHash('sha256').update(bytes).digest('base64url');
      expect(response.headers.get('etag')).to.equal(`"${hash}"`);
    }
    const initializer = await (await app.call('/docs/initializer.js')).text();
    expect(initializer)
      .to.include('validatorUrl: null')
      .and.not.to.match(/https?:/);
  });

  it('serves the files of the package byte for byte', async () => {
    for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'index.css', 'favicon-32x32.png']) {
      const original = await readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)));
      const served = Buffer.from(await (await app.call(`/docs/${name}`)).arrayBuffer());
      expect(served.equals(original), name).to.equal(true);
    }
  });

  it('answers HEAD with the length', async () => {
    const head = await app.call('/docs/swagger-ui.css', { method: 'HEAD' });
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
