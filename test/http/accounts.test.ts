import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';

describe('accounts', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, 'grace@example.com', {
      preferences: { theme: 'dark', editor: { tabs: 2 } },
    });
  });

  afterEach(() => app.close());

  const send = (
    method: string,
    path: string,
    body?: unknown,
    { as = ADMIN, ...headers }: Record<string, string> = {},
  ) =>
    app.call(path, {
      method,
      as,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const grace = { as: 'grace@example.com' };

  it('can be changed by their owners, except for protected fields', async () => {
    const changes = {
      name: '💚 Grace',
      storageMode: 'account',
      preferences: { theme: null, editor: { wrap: true } },
    };
    const response = await send('PATCH', '/v1/me', changes, grace);
    expect(response.status).to.equal(200);
    expect(response.headers.get('etag')).to.equal('"2"');
    expect(await response.json()).to.deep.include({
      name: '💚 Grace',
      storageMode: 'account',
      preferences: { editor: { tabs: 2, wrap: true } },
      version: 2,
    });
    for (const forbidden of ['role', 'email', 'status', 'version', 'id']) {
      const problem = await expectProblem(
        await send('PATCH', '/v1/me', { [forbidden]: 'admin' }, grace),
        422,
        'invalid_input',
      );
      expect(problem['errors']).to.deep.equal([{ path: forbidden, message: 'This field does not exist.' }]);
    }
    expect((await accountsIn(app.database))[1]).to.include({ role: 'user', version: 2 });
  });

  const noOps: [method: string, path: string, body: string][] = [
    ['PATCH', '/v1/me', '{}'],
    ['PATCH', '/v1/me', '{"name":null,"storageMode":"local","preferences":{"editor":{"tabs":2}}}'],
    ['PATCH', '/v1/me', '{"preferences":{"sidebar":null,"editor":{"font":null}}}'],
    ['PATCH', '/v1/me', '{"preferences":{"zero":-0,"list":[1,{"b":2,"a":-0.0}]}}'],
    ['PATCH', '/v1/me/preferences', '{}'],
    ['PATCH', '/v1/me/preferences', '{"theme":"dark","side":{"left":null},"none":null}'],
    [
      'PUT',
      '/v1/me/preferences',
      '{"list":[1.0,{"b":2,"a":0}],"zero":0e5,"editor":{"tabs":2},"theme":"dark","side":{}}',
    ],
    [
      'PUT',
      '/v1/me/preferences',
      '{"side":{"left":null},"theme":"dark","none":null,"editor":{"tabs":2},"zero":-0,"list":[1,{"b":2,"a":0}]}',
    ],
    ['PATCH', '/v1/users/2', '{}'],
    ['PATCH', '/v1/users/2', '{"email":" GRACE@example.com","role":"user","status":"active","name":null}'],
  ];
  for (const [method, path, body] of noOps) {
    it(`keep their version when a write changes nothing: ${method} ${path} ${body}`, async () => {
      await app.database.query(
        `update users set preferences = preferences || '{"zero": 0, "list": [1, {"a": 0, "b": 2}], "side": {}}'`,
      );
      const before = await accountsIn(app.database);
      const response = await app.call(path, {
        method,
        body,
        as: path === '/v1/users/2' ? ADMIN : grace.as,
        headers: { 'Content-Type': 'application/json' },
      });
      expect([response.status, response.headers.get('etag')]).to.deep.equal([200, '"1"']);
      expect(await accountsIn(app.database)).to.deep.equal(before);
      expect(await app.database.query('select 1 from changes')).to.have.length(2);
    });
  }

  it('have preferences that can be read, replaced and merged on their own', async () => {
    expect(await (await app.call('/v1/me/preferences', grace)).json()).to.deep.equal({
      theme: 'dark',
      editor: { tabs: 2 },
    });
    expect(await (await send('PUT', '/v1/me/preferences', { a: [1] }, grace)).json()).to.deep.equal({
      a: [1],
    });
    const merge = { ...grace, 'Content-Type': 'application/merge-patch+json' };
    expect(await (await send('PATCH', '/v1/me/preferences', { b: 2, a: null }, merge)).json()).to.deep.equal({
      b: 2,
    });
    await expectProblem(await send('PUT', '/v1/me/preferences', [], grace), 422, 'invalid_input');
  });

  it('can be exported and deleted by their owners', async () => {
    const download = await app.call('/v1/me/export', grace);
    expect(download.headers.get('content-disposition')).to.include('attachment');
    const me = await (await app.call('/v1/me', grace)).json();
    expect(((await download.json()) as { account: unknown }).account).to.deep.equal(me);
    expect((await send('DELETE', '/v1/me', undefined, grace)).status).to.equal(204);
    await expectProblem(await app.call('/v1/me', grace), 403, 'account_required');
    await expectProblem(await send('DELETE', '/v1/me'), 409, 'last_admin');
  });

  it('can be created, read, changed and deleted by admins', async () => {
    const email = `${'x'.repeat(243)}@example.com`;
    const created = await send('POST', '/v1/users', {
      email: email.toUpperCase(),
      role: 'admin',
      preferences: { a: 1 },
    });
    expect(created.status).to.equal(201);
    const location = created.headers.get('location') ?? '';
    const account = (await created.json()) as { id: number };
    expect(location).to.equal(`/v1/users/${account.id}`);
    expect(account).to.deep.include({ email, role: 'admin', preferences: { a: 1 }, version: 1 });
    expect(await (await send('GET', location)).json()).to.deep.equal(account);
    const changed = await send('PATCH', location, {
      email: 'new@example.com',
      role: 'user',
      status: 'suspended',
    });
    expect(await changed.json()).to.include({
      email: 'new@example.com',
      role: 'user',
      status: 'suspended',
      version: 2,
    });
    await expectProblem(await send('PATCH', location, { email: 'GRACE@example.com' }), 409, 'email_taken');
    expect((await send('DELETE', location)).status).to.equal(204);
    await expectProblem(await send('GET', location), 404, 'not_found');
    await expectProblem(await send('POST', '/v1/users', { email: `x${email}` }), 422, 'email_invalid');
  });

  it('have one email each under any name of the unique constraint', async () => {
    await app.database.query(
      'alter table users rename constraint users_email_unique to uq_users_email_of_another_tool',
    );
    await expectProblem(await send('POST', '/v1/users', { email: 'GRACE@example.com' }), 409, 'email_taken');
    const patch = { email: 'grace@example.com' };
    await expectProblem(await send('PATCH', '/v1/users/1', patch, { 'If-Match': '*' }), 409, 'email_taken');
  });

  it('have integer ids in range; any other id is 404', async () => {
    for (const id of ['0', '-1', '1.5', '2147483648', '99999999999999999999', 'x', '1e1', '%00', '٣']) {
      await expectProblem(await send('GET', `/v1/users/${id}`), 404, 'not_found');
    }
  });

  it('can be managed by admins only', async () => {
    for (const [method, path] of [
      ['GET', '/v1/users/1'],
      ['PATCH', '/v1/users/1'],
      ['DELETE', '/v1/users/1'],
      ['POST', '/v1/users'],
    ] as const) {
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      await expectProblem(await send(method, path, body, grace), 403, 'forbidden');
      const { status } = await app.call(path, { method });
      expect(status).to.equal(401);
    }
  });

  it('are refused from the next request on once suspended', async () => {
    expect((await app.call('/v1/me', grace)).status).to.equal(200);
    await send('PATCH', '/v1/users/2', { status: 'suspended' });
    await expectProblem(await app.call('/v1/me', grace), 403, 'account_suspended');
    await expectProblem(await send('DELETE', '/v1/me', undefined, grace), 403, 'account_suspended');
    await send('PATCH', '/v1/users/2', { status: 'active' });
    expect((await app.call('/v1/me', grace)).status).to.equal(200);
  });

  const preconditions: [header: string, passes: boolean][] = [
    ['"1"', true],
    ['*', true],
    ['"7", "1"', true],
    ['"7","8" , "1"', true],
    // As nginx and Cloudflare change it when they compress the answer, and as Apache does.
    ['W/"1"', true],
    ['"7", W/"1"', true],
    ['"1-gzip"', true],
    ['"1-br"', true],
    ['"2"', false],
    ['W/"2"', false],
    ['"2-gzip"', false],
    ['"1-2"', false],
    ['"11"', false],
    ['1', false],
    ['W/1', false],
    ['', false],
  ];
  for (const [header, passes] of preconditions) {
    it(`${passes ? 'accept' : 'refuse'} a write with If-Match: ${header}`, async () => {
      for (const [method, path] of [
        ['PATCH', '/v1/me'],
        ['DELETE', '/v1/users/2'],
      ] as const) {
        const response = await send(method, path, method === 'PATCH' ? { name: 'Ada' } : undefined, {
          'If-Match': header,
        });
        if (passes) expect(response.status).to.be.oneOf([200, 204]);
        else {
          expect(response.headers.get('etag')).to.equal('"1"');
          const { detail } = await expectProblem(response, 412, 'precondition_failed');
          expect(detail)
            .to.match(new RegExp(`^If-Match is ${header || 'empty'},`))
            .and.to.include('"1"');
        }
      }
    });
  }

  for (const [header, status] of [
    ['"1"', 304],
    ['W/"1"', 304],
    ['"7", "1"', 304],
    ['*', 304],
    ['"1-gzip"', 304],
    ['"2"', 200],
    ['W/"2"', 200],
    ['"2-gzip"', 200],
    ['1', 200],
  ] as const) {
    it(`are answered with ${status} for If-None-Match: ${header}`, async () => {
      const response = await app.call('/v1/me', { as: ADMIN, headers: { 'If-None-Match': header } });
      expect(response.status).to.equal(status);
      expect(response.headers.get('etag')).to.equal('"1"');
      expect((await response.text()) === '').to.equal(status === 304);
    });
  }
});
