import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { expectProblem } from '../support/problem.ts';

const ADA = 'ada@example.com';

// Not among the suites of `npm test`, because it needs nginx on the machine: `npm run test:nginx`.
describe('behind an nginx that compresses answers', () => {
  let app: TestApp;
  let nginx: Nginx;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADA, { role: 'admin' });
    nginx = await startNginx(`location / { proxy_pass ${app.url}; }`);
  });

  afterEach(async () => {
    await nginx.close();
    await app.close();
  });

  const call = (path: string, options: Parameters<TestApp['call']>[1]) =>
    app.call(`${nginx.url}${path}`, { as: ADA, ...options });
  const rename = (name: string, tag: string) =>
    call('/v1/me', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json', 'If-Match': tag },
      body: JSON.stringify({ name }),
    });

  it('a change with the entity tag that came out of nginx succeeds, and once only', async () => {
    const read = await call('/v1/me', {});
    const tag = read.headers.get('etag') ?? '';
    expect(read.headers.get('content-encoding')).to.equal('gzip');
    expect(tag).to.equal('W/"1"');
    const changed = await rename('Ada', tag);
    expect(changed.status).to.equal(200);
    expect(changed.headers.get('etag')).to.equal('W/"2"');
    const { detail } = await expectProblem(await rename('Lovelace', tag), 412, 'precondition_failed');
    expect(detail).to.equal(
      'If-Match is W/"1", but the current version is "2": read it again and repeat the change.',
    );
  });

  it('a stored answer is confirmed', async () => {
    for (const [path, tagged] of [
      ['/v1/me', /^W\//],
      ['/docs', /^W\//],
      // Compressed by the service, so nginx leaves it as it is.
      ['/openapi.json', /^"[^"]+-gzip"$/],
    ] as const) {
      const read = await call(path, {});
      const tag = read.headers.get('etag') ?? '';
      expect(tag, path).to.match(tagged);
      expect(read.headers.get('content-encoding'), path).to.equal('gzip');
      const known = await call(path, { headers: { 'If-None-Match': tag } });
      expect(known.status, path).to.equal(304);
      for (const name of ['cache-control', 'content-security-policy']) {
        expect(known.headers.get(name), path).to.equal(read.headers.get(name));
      }
    }
  });
});
