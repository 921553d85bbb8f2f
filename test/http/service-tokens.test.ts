import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('service tokens', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
    await addAccount(app.database, 'ada@example.com');
  });
  afterEach(() => app.close());

  const create = (input: object = {}, query = '') =>
    app.call(`/v1/service-tokens${query}`, {
      as: 'admin@example.com',
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({
        name: 'billing',
        scopes: ['users:read'],
        expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
        ...input,
      }),
    });
  const mint = async (input: object = {}) =>
    (await (await create(input)).json()) as { id: number; token: string };
  const call = (token: string, path: string, init: RequestInit = {}) =>
    app.call(path, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
  const list = async () => {
    const response = await app.call('/v1/service-tokens', { as: 'admin@example.com' });
    return ((await response.json()) as { items: Record<string, unknown>[] }).items;
  };

  it('are shown once, and stored as a digest', async () => {
    const response = await create();
    const body = (await response.json()) as { id: number; token: string };
    expect(response.status).to.equal(201);
    expect(response.headers.get('location')).to.equal(`/v1/service-tokens/${body.id}`);
    expect(body).to.deep.include({
      name: 'billing',
      scopes: ['users:read'],
      createdBy: 'admin@example.com',
      lastUsedAt: null,
      revokedAt: null,
      revokedBy: null,
    });
    const { token, ...entry } = body;
    expect(await list()).to.deep.equal([entry]);
    const [row] = await app.database.query('select * from service_tokens');
    expect(JSON.stringify(row)).not.to.contain(token.slice(3, 20));
    expect(JSON.stringify(app.log)).not.to.contain(token.slice(3, 20));
  });

  it('are known by themselves also where several requests come at once', async () => {
    const tokens = [await mint(), await mint({ name: 'writer', scopes: ['users:write'] })];
    const asked = Array.from(
      { length: 40 },
      (_, n) => tokens[n % 3]?.token ?? `${tokens[0]?.token.slice(0, -1)}`,
    );
    const answers = await Promise.all(asked.map((token) => call(token, '/v1/users')));
    expect(answers.map(({ status }) => status)).to.deep.equal(asked.map((_, n) => [200, 403, 401][n % 3]));
    const used = await list();
    expect(used.map(({ lastUsedAt }) => lastUsedAt === null)).to.deep.equal([false, false]);
  });

  it('do not wait for each other, or for whoever holds the row of one', async () => {
    const tokens = [await mint(), await mint({ name: 'other' })];
    const session = await app.database.connect();
    await session.query('begin; select from service_tokens for share');
    const answers = await Promise.all(tokens.map(({ token }) => call(token, '/v1/users')));
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200]);
    expect((await list()).map(({ lastUsedAt }) => lastUsedAt)).to.deep.equal([null, null]);
    await session.query('commit');
    await Promise.all(tokens.map(({ token }) => call(token, '/v1/users')));
    expect((await list()).map(({ lastUsedAt }) => typeof lastUsedAt)).to.deep.equal(['string', 'string']);
  });

  it('may do what their scopes allow, and nothing else', async () => {
    const reader = await mint();
    expect((await call(reader.token, '/v1/users')).status).to.equal(200);
    expect((await call(reader.token, '/v1/users/2')).status).to.equal(200);
    expect((await call(reader.token, '/v1/users/export')).status).to.equal(200);
    await expectProblem(
      await call(reader.token, '/v1/users/2', { method: 'PATCH', headers: JSON_TYPE, body: '{"name":"A"}' }),
      403,
      'forbidden',
    );
    for (const path of ['/v1/me', '/v1/service-tokens', '/v1/access', '/v1/me/export']) {
      await expectProblem(await call(reader.token, path), 403, 'forbidden');
    }
    const writer = await mint({ name: 'writer', scopes: ['users:write'] });
    await expectProblem(await call(writer.token, '/v1/users'), 403, 'forbidden');
    await expectProblem(await call(writer.token, '/v1/me', { method: 'DELETE' }), 403, 'forbidden');
  });

  it('may not change, create or restore admins through any endpoint', async () => {
    await addAccount(app.database, 'other@example.com', { role: 'admin' });
    const send = (method: string, path: string, body?: unknown, type = JSON_TYPE) =>
      call(writer.token, path, {
        method,
        ...(body !== undefined && {
          headers: type,
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      });
    const asAdmin = (method: string, path: string, body?: object) =>
      app.call(path, {
        as: 'admin@example.com',
        method,
        ...(body && { headers: JSON_TYPE, body: JSON.stringify(body) }),
      });
    const writer = await mint({ scopes: ['users:write'] });
    const entry = async (where: string) =>
      (await app.database.query(`select id from changes where ${where} order by id desc limit 1`))[0]?.['id'];
    // The entries of a renamed, a demoted and a deleted admin.
    await asAdmin('PATCH', '/v1/users/3', { name: 'Other' });
    const renaming = await entry(`user_id = 3 and action = 'updated'`);
    await addAccount(app.database, 'was@example.com', { role: 'admin' });
    await asAdmin('PATCH', '/v1/users/4', { role: 'user' });
    const demotion = await entry(`user_id = 4 and action = 'updated'`);
    await addAccount(app.database, 'gone@example.com', { role: 'admin' });
    await asAdmin('DELETE', '/v1/users/5');
    const deletion = await entry(`user_id = 5 and action = 'deleted'`);
    const before = await app.database.query('select * from users order by id');

    const NDJSON = { 'Content-Type': 'application/x-ndjson' };
    const attempts: [method: string, path: string, body?: unknown, type?: typeof JSON_TYPE][] = [
      ['POST', '/v1/users', { email: 'new@example.com', role: 'admin' }],
      ['PATCH', '/v1/users/2', { role: 'admin' }],
      ['PATCH', '/v1/users/3', { email: 'mine@example.com' }],
      ['PATCH', '/v1/users/3', { email: 'ada@example.com' }],
      ['PATCH', '/v1/users/3', { role: 'user' }],
      ['PATCH', '/v1/users/3', { status: 'suspended' }],
      ['PATCH', '/v1/users/3', { name: 'Eve' }],
      ['PATCH', '/v1/users/3?dryRun=true', { name: 'Eve' }],
      ['DELETE', '/v1/users/3'],
      ['POST', `/v1/history/${renaming}/undo`],
      ['POST', `/v1/history/${demotion}/undo`],
      ['POST', `/v1/history/${deletion}/undo`],
      ...[
        { email: 'new@example.com', role: 'admin' },
        { email: 'ada@example.com', role: 'admin' },
        { email: 'other@example.com', name: 'Eve' },
        { email: 'other@example.com', role: 'user' },
      ].map((line): [string, string, string, typeof JSON_TYPE] => [
        'POST',
        '/v1/users/import?mode=upsert&partial=true',
        `{"email":"fine@example.com"}\n${JSON.stringify(line)}\n`,
        NDJSON,
      ]),
    ];
    for (const [method, path, body, type] of attempts) {
      const response = await send(method, path, body, type);
      const { detail } = await expectProblem(response, 403, 'forbidden');
      expect(detail, `${method} ${path}`).to.equal('Service tokens may not create, change or delete admins.');
    }
    // Not even the last admin, for whom another refusal exists.
    await asAdmin('DELETE', '/v1/users/3');
    await expectProblem(await send('DELETE', '/v1/users/1'), 403, 'forbidden');
    const left = await app.database.query('select * from users order by id');
    expect(left).to.deep.equal(before.filter(({ id }) => id !== 3));

    const imported = await send(
      'POST',
      '/v1/users/import?mode=upsert',
      '{"email":"admin@example.com"}\n',
      NDJSON,
    );
    expect(await imported.json()).to.include({ unchanged: 1 });
    expect((await send('PATCH', '/v1/users/4', { status: 'suspended' })).status).to.equal(200);
    expect((await send('DELETE', '/v1/users/4')).status).to.equal(204);
  });

  describe('that may write and not read', () => {
    let writer: string;

    beforeEach(async () => {
      ({ token: writer } = await mint({ name: 'writer', scopes: ['users:write'] }));
      await app.call('/v1/users/2', {
        as: 'admin@example.com',
        method: 'PATCH',
        headers: JSON_TYPE,
        body: '{"name":"Ada","preferences":{"theme":"dark","secret":1}}',
      });
    });

    const send = (method: string, path: string, body?: object) =>
      call(writer, path, {
        method,
        ...(body && { headers: JSON_TYPE, body: JSON.stringify(body) }),
      });
    const lastEntry = async () =>
      (await app.database.query<{ id: string }>('select id from changes order by id desc limit 1'))[0]?.id;

    it('are shown what they have written, and no more', async () => {
      const body = { name: 'A', preferences: { theme: 'light', gone: null } };
      const response = await send('PATCH', '/v1/users/2', body);
      expect(response.headers.get('etag')).to.equal('"3"');
      expect(await response.json()).to.deep.equal({
        id: 2,
        version: 3,
        name: 'A',
        preferences: { theme: 'light' },
      });
      expect(await (await send('PATCH', '/v1/users/2', {})).json()).to.deep.equal({ id: 2, version: 3 });
      // A new account is what they have written, with the defaults.
      const created = await send('POST', '/v1/users', { email: 'new@example.com' });
      expect(await created.json()).to.include({ email: 'new@example.com', role: 'user' });
    });

    it('see no values from before a change in a dry run', async () => {
      const dry = async (method: string, path: string, body?: object) => {
        const response = await send(method, `${path}?dryRun=true`, body);
        expect(response.status).to.equal(200);
        const { changes } = (await response.json()) as { changes: Record<string, unknown>[] };
        return changes.map(({ before, after }) => ({ before, after }));
      };
      expect(await dry('PATCH', '/v1/users/2', { name: 'A' })).to.deep.equal([
        { before: null, after: { name: 'A' } },
      ]);
      expect(await dry('DELETE', '/v1/users/2')).to.deep.equal([{ before: null, after: null }]);
      expect(await dry('POST', `/v1/history/${await lastEntry()}/undo`)).to.deep.equal([
        { before: null, after: null },
      ]);
      const imported = await call(writer, '/v1/users/import?mode=upsert&dryRun=true', {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson' },
        body: '{"email":"ada@example.com","name":"A"}\n',
      });
      const { changes } = (await imported.json()) as { changes: Record<string, unknown>[] };
      expect(changes).to.have.length(1);
      expect(changes[0]).to.deep.include({ before: null, after: { name: 'A' } });
    });

    it('see nothing of the history in an undo, nor in its refusal', async () => {
      const entry = await lastEntry();
      await send('PATCH', '/v1/users/2', { preferences: { secret: 2 } });
      const refused = await expectProblem(
        await send('POST', `/v1/history/${entry}/undo`),
        409,
        'changed_since',
      );
      expect(JSON.stringify(refused)).not.to.match(/secret|theme/);
      const undone = await send('POST', `/v1/history/${await lastEntry()}/undo`);
      expect(await undone.json()).to.deep.include({ before: null, after: null, undoes: Number(entry) + 1 });
      const { token } = await mint({ name: 'historian', scopes: ['users:write', 'history:read'] });
      const again = await call(token, `/v1/history/${await lastEntry()}/undo`, { method: 'POST' });
      expect(await again.json()).to.deep.include({ after: { preferences: { secret: 2 } } });
    });
  });

  it('need history:read to see accounts as they were, and so deleted ones', async () => {
    await app.call('/v1/users/2', { as: 'admin@example.com', method: 'DELETE' });
    const at = `/v1/users/2?at=${encodeURIComponent('2021-01-01T00:00:00Z')}`;
    const reader = await mint();
    await expectProblem(await call(reader.token, '/v1/users/2'), 404, 'not_found');
    await expectProblem(await call(reader.token, at), 403, 'forbidden');
    const { token } = await mint({ name: 'historian', scopes: ['users:read', 'history:read'] });
    expect(await (await call(token, at)).json()).to.include({ email: 'ada@example.com' });
  });

  it('are found as actors in any case of their name', async () => {
    const { token } = await mint({ name: 'Sync@Home', scopes: ['users:write'] });
    await call(token, '/v1/users/2', { method: 'PATCH', headers: JSON_TYPE, body: '{"name":"A"}' });
    for (const actor of ['service:Sync@Home', 'service:sync@home', 'SERVICE:SYNC@HOME']) {
      for (const filter of ['', '&action=updated', '&userId=2', '&field=name']) {
        const path = `/v1/history?actor=${encodeURIComponent(actor)}${filter}`;
        const response = await app.call(path, { as: 'admin@example.com' });
        const { items } = (await response.json()) as { items: { actor: string }[] };
        expect(
          items.map(({ actor }) => actor),
          path,
        ).to.deep.equal(['service:Sync@Home']);
      }
    }
  });

  it('appear in the history as the actor', async () => {
    const { token } = await mint({ scopes: ['users:write'] });
    const response = await call(token, '/v1/users/2', {
      method: 'PATCH',
      headers: JSON_TYPE,
      body: '{"name":"A"}',
    });
    expect(response.status).to.equal(200);
    const line = app.log.findLast(({ msg }) => msg === 'request');
    expect(line).to.include({ service: 'billing', userId: null, credential: 'bearer' });
    const [row] = await app.database.query(`select actor, actor_id from changes where action = 'updated'`);
    expect(row).to.deep.equal({ actor: 'service:billing', actor_id: null });
  });

  it('are refused from the next request on once revoked, on every replica', async () => {
    const { id, token } = await mint();
    const replica = await startApp({ database: { ...app.database, drop: async () => undefined } });
    try {
      const there = () => replica.call('/v1/users', { headers: { Authorization: `Bearer ${token}` } });
      expect((await there()).status).to.equal(200);
      const revoke = () =>
        app.call(`/v1/service-tokens/${id}`, { as: 'admin@example.com', method: 'DELETE' });
      expect((await revoke()).status).to.equal(204);
      await expectProblem(await there(), 401, 'unauthenticated');
      await expectProblem(await call(token, '/v1/users'), 401, 'unauthenticated');
      const revokedAt = (await list())[0]?.['revokedAt'];
      expect(revokedAt).to.be.a('string');
      expect((await revoke()).status).to.equal(204);
      expect((await list())[0]).to.deep.include({ revokedAt, revokedBy: 'admin@example.com' });
    } finally {
      await replica.close();
    }
  });

  it('are refused once they have expired', async () => {
    const { token } = await mint();
    await app.database.query(`update service_tokens set expires_at = now() - interval '1 second'`);
    await expectProblem(await call(token, '/v1/users'), 401, 'unauthenticated');
  });

  it('never expire if that is said', async () => {
    const { token, expiresAt } = (await (await create({ expiresAt: null })).json()) as Record<string, string>;
    expect(expiresAt).to.equal(null);
    expect((await call(`${token}`, '/v1/users')).status).to.equal(200);
    expect((await list())[0]).to.include({ expiresAt: null });
  });

  it('expire at the end of the day, in UTC, if their expiry is a date', async () => {
    const day = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const { expiresAt } = (await (await create({ expiresAt: day })).json()) as Record<string, string>;
    expect(expiresAt).to.equal(`${day}T23:59:59.999Z`);
    const today = new Date().toISOString().slice(0, 10);
    expect((await create({ name: 'today', expiresAt: today })).status).to.equal(201);
    const last = `${new Date().getUTCFullYear() + 10}${today.slice(4)}`;
    // On a leap day, ten years ahead is a day that does not exist.
    if (!today.endsWith('02-29'))
      expect((await create({ name: 'last', expiresAt: last })).status).to.equal(201);
  });

  it('have one name in every composition of its letters', async () => {
    await mint({ name: 'caf\u00e9' });
    await expectProblem(await create({ name: 'cafe\u0301' }), 409, 'name_taken');
  });

  it('show their authors by the email that they have now', async () => {
    await addAccount(app.database, 'other@example.com', { role: 'admin' });
    const { id } = await mint();
    await app.call(`/v1/service-tokens/${id}`, { as: 'other@example.com', method: 'DELETE' });
    await app.database.query(`update users set email = 'boss@example.com' where email = 'admin@example.com'`);
    await app.database.query(`update users set email = 'admin@example.com' where email = 'ada@example.com'`);
    const read = await app.call('/v1/service-tokens', { as: 'boss@example.com' });
    const { items } = (await read.json()) as { items: unknown[] };
    expect(items[0]).to.include({ createdBy: 'boss@example.com', revokedBy: 'other@example.com' });
    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, 'boss@example.com'));
    const again = await app.call('/v1/service-tokens', { as: 'other@example.com' });
    expect(((await again.json()) as { items: unknown[] }).items[0]).to.include({ createdBy: 'erased-1' });
  });

  it('are refused like any other invalid token when they are made up', async () => {
    const { token } = await mint();
    const bad = [`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, 'rc_', `rc_${'A'.repeat(49)}`];
    for (const one of bad) {
      const response = await call(one, '/v1/users');
      expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_token"');
      await expectProblem(response, 401, 'unauthenticated');
    }
  });

  it('record their last use at most once a minute', async () => {
    const { token } = await mint();
    const lastUse = async () => (await list())[0]?.['lastUsedAt'];
    await call(token, '/v1/users');
    const first = await lastUse();
    expect(first).to.be.a('string');
    await call(token, '/v1/users');
    expect(await lastUse()).to.equal(first);
    await app.database.query(`update service_tokens set last_used_at = last_used_at - interval '61 seconds'`);
    await call(token, '/v1/users');
    expect(Date.parse(String(await lastUse()))).to.be.at.least(Date.parse(String(first)));
  });

  it('record one use for twenty concurrent requests', async () => {
    const { token } = await mint();
    await app.database.query(`create table uses (id int)`);
    await app.database.query(`
      create function note() returns trigger language plpgsql as $$ begin insert into uses values (new.id); return new; end $$`);
    await app.database.query(
      'create trigger noted after update on service_tokens for each row execute function note()',
    );
    await Promise.all(Array.from({ length: 20 }, () => call(token, '/v1/users')));
    expect(await app.database.query('select * from uses')).to.have.length(1);
  });

  it('keep their name reserved after they are revoked', async () => {
    const { id } = await mint();
    await app.call(`/v1/service-tokens/${id}`, { as: 'admin@example.com', method: 'DELETE' });
    await expectProblem(await create(), 409, 'name_taken');
  });

  const refused: [what: string, input: object][] = [
    ['no name', { name: '' }],
    ['a name with spaces around it', { name: ' a' }],
    ['a long name', { name: 'a'.repeat(101) }],
    ['no scope', { scopes: [] }],
    ['an unknown scope', { scopes: ['everything'] }],
    ['an expiry in the past', { expiresAt: '2020-01-01T00:00:00Z' }],
    ['an expiry that is not a time', { expiresAt: 'tomorrow' }],
    ['an expiry decades ahead', { expiresAt: '2100-01-01T00:00:00Z' }],
    ['an expiry past the year 9999 in UTC', { expiresAt: '9999-12-31T23:59:59-14:00' }],
    ['no word about an expiry', { expiresAt: undefined }],
    ['a date that does not exist', { expiresAt: '2027-02-30' }],
    ['a date in the past', { expiresAt: '2020-01-31' }],
    ['a control character in its name', { name: 'a\nb' }],
    ['a right-to-left override in its name', { name: 'a\u202eb' }],
    ['half a character in its name', { name: 'a\ud800' }],
    ['an invisible letter in its name', { name: 'a\u3164b' }],
    ['an invisible mark in its name', { name: 'a\u034fb' }],
    ['an empty pattern of Braille as its name', { name: '\u2800' }],
    ['a blank in its name that looks like another', { name: 'a\u00a0b' }],
    ['two blanks in a row in its name', { name: 'a  b' }],
  ];
  for (const [what, input] of refused) {
    it(`are not created with ${what}`, async () => {
      await expectProblem(await create(input), 422, 'invalid_input');
      expect(await list()).to.deep.equal([]);
    });
  }

  it('are not created in a dry run, by accounts other than admins, or by service tokens', async () => {
    const dryRun = await create({}, '?dryRun=true');
    expect(await dryRun.json()).to.deep.equal({ changes: [] });
    expect(await list()).to.deep.equal([]);
    await expectProblem(await app.call('/v1/service-tokens', { as: 'ada@example.com' }), 403, 'forbidden');
    const { token } = await mint({ scopes: ['users:read', 'users:write', 'history:read', 'changes:read'] });
    await expectProblem(
      await call(token, '/v1/service-tokens', { method: 'POST', headers: JSON_TYPE, body: '{}' }),
      403,
      'forbidden',
    );
    await expectProblem(
      await app.call('/v1/service-tokens/99', { as: 'admin@example.com', method: 'DELETE' }),
      404,
      'not_found',
    );
  });
});
