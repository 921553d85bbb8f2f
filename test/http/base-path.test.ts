import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';

const ADA = 'ada@example.com';
const BASE = '/apps/rollcall';

describe('under a base path', () => {
  let app: TestApp;
  let paths: string[];

  before(async () => {
    app = await startApp({ basePath: BASE });
    await addAccount(app.database, ADA, { role: 'admin' });
    const document = (await (await app.call(`${BASE}/openapi.json`)).json()) as {
      servers: unknown;
      paths: Record<string, unknown>;
    };
    expect(document.servers).to.deep.equal([{ url: BASE }]);
    paths = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/g, '1'));
  });

  after(() => app.close());

  const allowed = async (path: string) => {
    const response = await app.call(path, { method: 'OPTIONS' });
    return response.headers.get('allow');
  };

  it('every path of the document is there, and none without it but the health checks', async () => {
    expect(paths).to.have.length.greaterThan(15);
    for (const path of paths) {
      expect(await allowed(BASE + path), path).to.match(/\w/);
      const isProbe = ['/healthz', '/readyz'].includes(path);
      if (isProbe) expect((await app.call(path)).status, path).to.equal(200);
      else await expectProblem(await app.call(path, { as: ADA }), 404, 'not_found');
    }
    for (const path of ['/', '/apps', `${BASE}x/v1/me`, `${BASE}${BASE}/v1/me`]) {
      await expectProblem(await app.call(path, { as: ADA }), 404, 'not_found');
    }
  });

  it('a path has one way to write it', async () => {
    for (const path of [
      `${BASE}/V1/me`,
      `${BASE}/v1/ME`,
      '/Apps/rollcall/v1/me',
      '/HEALTHZ',
      `${BASE}/v1/users/Export`,
    ]) {
      await expectProblem(await app.call(path, { as: ADA }), 404, 'not_found');
      expect(await allowed(path), path).to.be.oneOf([null, 'HEAD, GET, PATCH, DELETE']);
    }
  });

  it('Location leads to what was created', async () => {
    const json = { 'Content-Type': 'application/json' };
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const account = await app.call(`${BASE}/v1/users`, {
      as: ADA,
      method: 'POST',
      headers: json,
      body: '{"email":"grace@example.com"}',
    });
    const token = await app.call(`${BASE}/v1/service-tokens`, {
      as: ADA,
      method: 'POST',
      headers: json,
      body: JSON.stringify({ name: 'billing', scopes: ['users:read'], expiresAt }),
    });
    const { id } = (await token.json()) as { id: number };
    expect(token.headers.get('location')).to.equal(`${BASE}/v1/service-tokens/${id}`);
    const created = account.headers.get('location') ?? '';
    expect(created).to.match(/^\/apps\/rollcall\/v1\/users\/\d+$/);
    expect(await (await app.call(created, { as: ADA })).json()).to.include({ email: 'grace@example.com' });
  });

  it('Link leads to the next page', async () => {
    await addAccount(app.database, 'alan@example.com');
    for (const list of ['/v1/users', '/v1/history', '/v1/me/history', '/v1/users/1/history']) {
      const first = await app.call(`${BASE}${list}?limit=1`, { as: ADA });
      expect(first.status, list).to.equal(200);
      const link = first.headers.get('link');
      if (link === null) continue;
      const [, next = ''] = /^<([^>]*)>; rel="next"$/.exec(link) ?? [];
      expect(next).to.match(new RegExp(`^${BASE}${list}\\?limit=1&cursor=`));
      expect((await app.call(next, { as: ADA })).status).to.equal(200);
    }
    expect((await app.call(`${BASE}/v1/users?limit=1`, { as: ADA })).headers.has('link')).to.equal(true);
  });

  it('a browser at an address of the console where there is no page is shown that by the page of this path', async () => {
    const headers = { Accept: 'text/html' };
    const answer = await app.call(`${BASE}/console/elsewhere`, { headers });
    expect(answer.status).to.equal(404);
    expect(await answer.text()).to.include(`<meta name="base-path" content="${BASE}">`);
    await expectProblem(await app.call('/console/elsewhere', { headers }), 404, 'not_found');
  });

  it('the page at /docs loads its files and the document from there', async () => {
    const page = await (await app.call(`${BASE}/docs`)).text();
    const files = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = '']) => path);
    expect(files).to.include.members([`${BASE}/docs/docs.js`, `${BASE}/openapi.json`, `${BASE}/console`]);
    for (const file of files) expect((await app.call(file)).status, file).to.equal(200);
    // The script asks for the document there.
    expect(page).to.include(`<meta name="base-path" content="${BASE}">`);
  });
});
