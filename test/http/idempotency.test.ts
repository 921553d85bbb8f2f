import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { isWrite } from '../../src/http/endpoint.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { MAX_KEPT_BYTES } from '../../src/store/kept-answer.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type ConformingApp, conforming } from '../support/conformance.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { type KeyedInit, sender } from '../support/idempotency.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';
const NDJSON = 'application/x-ndjson';

const WEBHOOKS = [
  { name: 'crm', url: 'https://crm.example.com/', secrets: [WEBHOOK_SECRET], actions: null, fields: null },
];

/** For each write, one that succeeds. `{grace}`, `{entry}`, `{identity}`, `{token}`, `{session}` and `{own}` stand for ids. */
const WRITES: Readonly<Record<string, KeyedInit & { path?: string }>> = {
  'PATCH /v1/me': { as: GRACE, body: '{"name":"Hopper","preferences":{"theme":"dark"}}' },
  'PUT /v1/me/preferences': { as: GRACE, body: '{"theme":"dark"}' },
  'PATCH /v1/me/preferences': { as: GRACE, body: '{"editor":{"tabs":4}}' },
  'POST /v1/users': { body: '{"email":"new@example.com","preferences":{"a":1}}' },
  'POST /v1/users/import': {
    path: '/v1/users/import?mode=upsert&partial=true',
    type: NDJSON,
    body: `{"email":"${GRACE}","name":"Imported"}\n{"email":"new@example.com"}\n{"email":"nonsense"}\n`,
  },
  'POST /v1/users/bulk': { body: '{"ids":[{grace},999],"status":"suspended"}' },
  'PATCH /v1/users/:id': { path: '/v1/users/{grace}', body: '{"name":"Hopper"}' },
  'DELETE /v1/users/:id': { path: '/v1/users/{grace}' },
  'POST /v1/history/:id/undo': { path: '/v1/history/{entry}/undo' },
  'POST /v1/history/:id/undo-request': { path: '/v1/history/{entry}/undo-request' },
  'DELETE /v1/users/:id/identities/:identityId': { path: '/v1/users/{grace}/identities/{identity}' },
  'DELETE /v1/service-tokens/:id': { path: '/v1/service-tokens/{token}' },
  'DELETE /v1/sessions/:id': { path: '/v1/sessions/{session}' },
  'DELETE /v1/me/sessions/:id': { as: GRACE, path: '/v1/me/sessions/{own}' },
  'POST /v1/webhooks/:name/resume': { path: '/v1/webhooks/crm/resume' },
};

/** Writes whose second answer differs, which have tests of their own. */
const OTHERS = ['DELETE /v1/me', 'POST /v1/service-tokens', 'POST /v1/webhooks/:name/test'];

describe('a write with an Idempotency-Key', () => {
  let app: ConformingApp;
  let ids: Record<string, number>;

  beforeEach(async () => {
    app = await conforming(await startApp({ webhooks: WEBHOOKS }));
    await addAccount(app.database, ADMIN, { role: 'admin' });
    const { id: grace } = await addAccount(app.database, GRACE);
    const { send } = sender(app, ADMIN);
    await send('PATCH', `/v1/users/${grace}`, { body: '{"preferences":{"theme":"light"}}' });
    const [entry] = await app.database.query<{ id: string }>('select max(id) as id from changes');
    const [identity] = await app.database.query<{ id: number }>(
      `insert into identities (user_id, issuer, subject, email) values ($1, 'https://x.example', 's', $2) returning id`,
      [grace, GRACE],
    );
    const { id: token } = await mint();
    const [session, own] = await app.database.query<{ id: number }>(
      `insert into console_sessions (digest, account_id, door, expires_at)
       select place, $1, 'code', now() + interval '1 hour' from generate_series(1, 2) as place returning id`,
      [grace],
    );
    ids = {
      ...{ grace, entry: Number(entry?.id), identity: identity?.id ?? 0, token },
      ...{ session: session?.id ?? 0, own: own?.id ?? 0 },
    };
  });

  afterEach(() => app.close());

  const send = (...request: Parameters<ReturnType<typeof sender>['send']>) =>
    sender(app, ADMIN).send(...request);
  /** Mints a service token, without a key. */
  const mint = async (scopes = ['users:read', 'users:write']) => {
    const [{ count }] = (await app.database.query('select count(*) from service_tokens')) as [
      { count: string },
    ];
    const body = JSON.stringify({ name: `token ${count}`, scopes, expiresAt: null });
    return (await (await send('POST', '/v1/service-tokens', { body })).json()) as {
      id: number;
      token: string;
    };
  };
  const filled = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => `${ids[name]}`);
  const write = (name: string, key?: string) => {
    const [method = '', route = ''] = name.split(' ');
    const { path = route, body, ...init } = WRITES[name] as KeyedInit & { path?: string };
    return send(method, filled(path), {
      ...init,
      ...(body && { body: filled(body) }),
      ...(key !== undefined && { key }),
    });
  };
  /** Everything that a write can change, without what a request changes anyway. */
  const stored = async () => ({
    users: await accountsIn(app.database),
    changes: await app.database.query('select id, user_id, action, version from changes order by id'),
    identities: await app.database.query('select id, cut_at from identities order by id'),
    tokens: await app.database.query('select id, name, revoked_at from service_tokens order by id'),
    sessions: await app.database.query('select id from console_sessions order by id'),
    webhooks: await app.database.query('select name, attempts, failing_since from webhooks order by name'),
  });
  const kept = () => app.database.query<Record<string, unknown>>('select * from kept_answers');
  const shown = async (response: Response) => ({
    status: response.status,
    etag: response.headers.get('etag'),
    location: response.headers.get('location'),
    type: response.headers.get('content-type'),
    body: await response.text(),
  });
  const isReplayed = ({ headers }: Response) => headers.get('idempotent-replayed') === 'true';
  const erase = (email: string) => unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, email));

  it('is tested for every write endpoint', () => {
    const writes = describedEndpoints()
      .filter(isWrite)
      .map(({ method, path }) => `${method} ${path}`);
    expect([...Object.keys(WRITES), ...OTHERS]).to.have.members(writes);
  });

  for (const name of Object.keys(WRITES)) {
    it(`is carried out once, and gets the same answer again: ${name}`, async () => {
      const first = await write(name, 'one');
      expect(first.ok, await first.clone().text()).to.equal(true);
      expect(isReplayed(first)).to.equal(false);
      const after = await stored();
      const again = await write(name, 'one');
      expect(await shown(again)).to.deep.equal(await shown(first));
      expect(isReplayed(again)).to.equal(true);
      expect(await stored()).to.deep.equal(after);
      expect(await kept()).to.have.length(1);
    });

    it(`is another one without the key: ${name} keeps nothing`, async () => {
      expect((await write(name)).ok).to.equal(true);
      expect(await kept()).to.deep.equal([]);
      expect(isReplayed(await write(name))).to.equal(false);
    });
  }

  it('gets the same answer whatever others have changed meanwhile, also with the If-Match of then', async () => {
    const headers = { 'If-Match': '"2"' };
    const path = filled('/v1/users/{grace}');
    const rename = () => send('PATCH', path, { key: 'k', body: '{"name":"First"}', headers });
    const first = await shown(await rename());
    expect(first.etag).to.equal('"3"');
    expect((await send('PATCH', path, { body: '{"name":"Second"}' })).status).to.equal(200);
    expect(await shown(await rename())).to.deep.equal(first);
    expect((await accountsIn(app.database))[1]).to.include({ name: 'Second', version: 4 });
  });

  it('is known also where it changed nothing', async () => {
    const patch = (name: string, key?: string) =>
      send('PATCH', '/v1/me', { as: GRACE, body: JSON.stringify({ name }), ...(key && { key }) });
    await patch('Grace');
    const first = await shown(await patch('Grace', 'k'));
    await patch('Hopper');
    expect(await shown(await patch('Grace', 'k'))).to.deep.equal(first);
    expect((await accountsIn(app.database))[1]?.name).to.equal('Hopper');
  });

  it('may be sent again under its key after a refusal, which keeps nothing', async () => {
    const create = () => send('POST', '/v1/users', { key: 'k', body: `{"email":"${GRACE}"}` });
    await expectProblem(await create(), 409, 'email_taken');
    await expectProblem(
      await send('PATCH', '/v1/me', { key: 'k', body: '{"colour":1}' }),
      422,
      'invalid_input',
    );
    expect(await kept()).to.deep.equal([]);
    expect((await send('DELETE', filled('/v1/users/{grace}'))).status).to.equal(204);
    expect((await create()).status).to.equal(201);
  });

  it('is refused for any other request under the key', async () => {
    const path = filled('/v1/users/{grace}');
    expect((await send('PATCH', path, { key: 'k', body: '{"name":"A"}' })).status).to.equal(200);
    const before = await stored();
    for (const [method, at, body] of [
      ['PATCH', path, '{"name":"B"}'],
      ['PATCH', `${path}?dryRun=false`, '{"name":"A"}'],
      ['PATCH', '/v1/users/1', '{"name":"A"}'],
      ['DELETE', path, undefined],
      ['POST', filled('/v1/history/{entry}/undo'), undefined],
    ] as const) {
      await expectProblem(
        await send(method, at, { key: 'k', ...(body && { body }) }),
        422,
        'idempotency_key_reused',
      );
    }
    expect(await stored()).to.deep.equal(before);
    // The same JSON with other blanks is the same request.
    expect(isReplayed(await send('PATCH', path, { key: 'k', body: ' { "name" : "A" } ' }))).to.equal(true);
    // So is the one whose path ends with a slash.
    expect(isReplayed(await send('PATCH', `${path}/`, { key: 'k', body: '{"name":"A"}' }))).to.equal(true);
  });

  it('has nothing to do with the keys of other callers: accounts and service tokens', async () => {
    await send('PATCH', filled('/v1/users/{grace}'), { body: '{"role":"admin"}' });
    const [one, two] = [await mint(), await mint()];
    const create = (n: number, who: KeyedInit) =>
      send('POST', '/v1/users', { key: 'k', body: `{"email":"new${n}@example.com"}`, ...who });
    const callers = [{ as: ADMIN }, { as: GRACE }, { bearer: one.token }, { bearer: two.token }];
    for (const [n, who] of callers.entries()) expect((await create(n, who)).status).to.equal(201);
    for (const [n, who] of callers.entries()) {
      const again = await create(n, who);
      expect([again.status, isReplayed(again)]).to.deep.equal([201, true]);
      await expectProblem(await create(9, who), 422, 'idempotency_key_reused');
    }
    expect(await accountsIn(app.database)).to.have.length(6);
  });

  it('shows a service token no more than it was shown', async () => {
    const { token } = await mint(['users:write']);
    const patch = () =>
      send('PATCH', filled('/v1/users/{grace}'), { key: 'k', bearer: token, body: '{"name":"G"}' });
    const first = await shown(await patch());
    expect(JSON.parse(first.body)).to.have.all.keys('id', 'version', 'name');
    expect(await shown(await patch())).to.deep.equal(first);
    const undo = () => send('POST', filled('/v1/history/{entry}/undo'), { key: 'u', bearer: token });
    const undone = await shown(await undo());
    expect(JSON.parse(undone.body)).to.include({ before: null, after: null });
    expect(await shown(await undo())).to.deep.equal(undone);
  });

  it('mints a service token once, and never shows or stores it again', async () => {
    const body = JSON.stringify({ name: 'billing', scopes: ['users:read'], expiresAt: null });
    const create = () => send('POST', '/v1/service-tokens', { key: 'k', body });
    const first = await create();
    const { token, ...entry } = (await first.json()) as { token: string };
    const again = await create();
    expect([first.status, again.status, isReplayed(again)]).to.deep.equal([201, 201, true]);
    expect(again.headers.get('location')).to.equal(first.headers.get('location'));
    expect(await again.json()).to.deep.equal({ ...entry, token: null });
    expect(JSON.stringify(await kept())).not.to.include(token.slice(3, 20));
    expect(await app.database.query(`select 1 from service_tokens where name = 'billing'`)).to.have.length(1);
  });

  it('is answered by what the caller may do now', async () => {
    await send('PATCH', filled('/v1/users/{grace}'), { body: '{"role":"admin"}' });
    const { id, token } = await mint();
    const write = (who: KeyedInit) =>
      send('PATCH', '/v1/users/1', { key: 'k', body: '{"name":"Secret"}', ...who });
    const own = () => send('PATCH', '/v1/me', { key: 'own', as: GRACE, body: '{"name":"G"}' });
    expect((await write({ as: GRACE })).status).to.equal(200);
    expect((await own()).status).to.equal(200);
    await send('PATCH', filled('/v1/users/{grace}'), { body: '{"role":"user"}' });
    await expectProblem(await write({ as: GRACE }), 403, 'forbidden');
    expect(isReplayed(await own())).to.equal(true);
    await send('PATCH', filled('/v1/users/{grace}'), { body: '{"status":"suspended"}' });
    await expectProblem(await own(), 403, 'account_suspended');

    const patch = () =>
      send('PATCH', filled('/v1/users/{grace}'), { key: 'k', bearer: token, body: '{"name":"T"}' });
    expect((await patch()).status).to.equal(200);
    await send('DELETE', `/v1/service-tokens/${id}`);
    await expectProblem(await patch(), 401, 'unauthenticated');
  });

  it('that deletes its own account is not carried out again, and the caller is nobody', async () => {
    const leave = () => send('DELETE', '/v1/me', { key: 'k', as: GRACE });
    expect((await leave()).status).to.equal(204);
    await expectProblem(await leave(), 403, 'account_required');
  });

  it('is forgotten after a day', async () => {
    const rename = (name: string) => send('PATCH', '/v1/me', { key: 'k', body: JSON.stringify({ name }) });
    expect((await rename('A')).status).to.equal(200);
    await app.database.query(`update kept_answers set at = at - interval '23 hours 59 minutes'`);
    await expectProblem(await rename('B'), 422, 'idempotency_key_reused');
    await app.database.query(`update kept_answers set at = at - interval '1 minute'`);
    // Still stored, and so still in the way of the new one.
    expect(await kept()).to.have.length(1);
    const second = await rename('B');
    expect([second.status, isReplayed(second)]).to.deep.equal([200, false]);
    expect(isReplayed(await rename('B'))).to.equal(true);
    expect(await kept()).to.have.length(1);
    await app.database.query(`update kept_answers set at = at - interval '1 day'`);
    await expectProblem(
      await send('POST', '/v1/users', { key: 'k', body: `{"email":"${GRACE}"}` }),
      409,
      'email_taken',
    );
  });

  it('keeps nothing of an account that is erased, and is not carried out again', async () => {
    const create = () =>
      send('POST', '/v1/users', { key: 'grace-hopper', body: '{"email":"mira@example.com","name":"Mira"}' });
    const patch = () => send('PATCH', '/v1/me', { key: 'g', as: GRACE, body: '{"name":"Hopper"}' });
    const other = () => send('PATCH', '/v1/me', { key: 'g', body: '{"name":"Ada"}' });
    const importing = () =>
      send('POST', '/v1/users/import?partial=true', {
        key: 'i',
        type: NDJSON,
        body: '{"email":"mira@example.com"}\n{"email":"mirª@example.com"}\n',
      });
    expect((await create()).status).to.equal(201);
    expect((await patch()).status).to.equal(200);
    expect((await other()).status).to.equal(200);
    expect(await (await importing()).text()).to.include('write it as mira@example.com');
    expect(JSON.stringify(await kept()))
      .to.match(/mira/i)
      .and.to.match(/hopper/i)
      .and.not.to.include('grace-hopper');
    await erase('mira@example.com');
    await erase(GRACE);
    expect(JSON.stringify(await kept())).not.to.match(/mira|hopper|grace/i);
    await expectProblem(await create(), 410, 'answer_gone');
    await expectProblem(await importing(), 410, 'answer_gone');
    expect(isReplayed(await other())).to.equal(true);
    const emails = (await accountsIn(app.database)).map(({ email }) => email);
    expect(emails).to.deep.equal([ADMIN]);
  });

  it('keeps as many failures of an import as fit, and all of its counts', async () => {
    const body = Array.from({ length: 1_200 }, (_, n) =>
      JSON.stringify({
        email: `u${n}`,
        ...Object.fromEntries([1, 2, 3].map((m) => [`${m}`.repeat(200), n])),
      }),
    ).join('\n');
    const importing = async () =>
      (await (
        await send('POST', '/v1/users/import?partial=true', { key: 'k', type: NDJSON, body })
      ).json()) as { failed: number; failures: unknown[] };
    const first = await importing();
    const again = await importing();
    expect([first.failed, again.failed]).to.deep.equal([1_200, 1_200]);
    expect(Buffer.byteLength(JSON.stringify(first))).to.be.greaterThan(MAX_KEPT_BYTES);
    expect(Buffer.byteLength(JSON.stringify(again))).to.be.within(MAX_KEPT_BYTES - 1_000, MAX_KEPT_BYTES);
    expect(again.failures).to.deep.equal(first.failures.slice(0, again.failures.length));
  });

  it('keeps no answer that is too large, and is not carried out again', async () => {
    await app.database.query(
      `update users set preferences = jsonb_build_object('a', repeat('a', ${MAX_KEPT_BYTES})) where email = $1`,
      [GRACE],
    );
    const patch = () => send('PATCH', filled('/v1/users/{grace}'), { key: 'k', body: '{"name":"A"}' });
    expect((await patch()).status).to.equal(200);
    await expectProblem(await patch(), 410, 'answer_gone');
    expect((await accountsIn(app.database))[1]).to.include({ name: 'A', version: 3 });
    expect((await kept())[0]).to.include({ headers: null, body: null });
  });

  it('ignores the key in dry runs and reads', async () => {
    const create = (query = '') =>
      send('POST', `/v1/users${query}`, { key: 'k', body: '{"email":"new@example.com"}' });
    expect((await create('?dryRun=true')).status).to.equal(200);
    expect((await create('?dryRun=true')).status).to.equal(200);
    for (const key of ['k', '"']) {
      const read = await app.call('/v1/me', { as: ADMIN, headers: { 'Idempotency-Key': key } });
      expect([read.status, isReplayed(read)]).to.deep.equal([200, false]);
    }
    expect(await kept()).to.deep.equal([]);
    expect((await create()).status).to.equal(201);
    expect(isReplayed(await create('?dryRun=true'))).to.equal(false);
  });

  for (const [what, header] of [
    ['is empty', '""'],
    ['is nothing', ''],
    ['is not closed', '"abc'],
    ['is not opened', 'abc"'],
    ['has blanks outside of quotes', 'a b'],
    ['is two', '"a", "b"'],
    ['has a parameter', '"a";b=1'],
    ['is a list', '("a" "b")'],
    ['has an unknown escape', '"a\\b"'],
    ['has a quote inside', '"a"b"'],
    ['has a tab', '"a\tb"'],
    ['has bytes beyond ASCII', '"\xe4"'],
    ['is too long', `"${'a'.repeat(256)}"`],
    ['is too long without quotes', 'a'.repeat(256)],
    ['is very long', `"${'\\"'.repeat(10_000)}`],
  ] as const) {
    it(`is refused where the key ${what}`, async () => {
      const response = await app.call('/v1/me', {
        method: 'PATCH',
        as: ADMIN,
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': header },
        body: '{"name":"A"}',
      });
      await expectProblem(response, 400, 'idempotency_key_invalid');
      expect((await accountsIn(app.database))[0]?.version).to.equal(1);
    });
  }

  it('is refused with two headers', async () => {
    const answer = await sendRaw(
      app.url,
      `PATCH /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${forge()}\r\n` +
        'Idempotency-Key: "a"\r\nIdempotency-Key: "a"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    );
    expect(answer)
      .to.match(/^HTTP\/1\.1 400 /)
      .and.to.include('idempotency_key_invalid');
  });

  it('may have any key of 1 to 255 ASCII characters, in quotes or, if it is plain, without', async () => {
    const patch = (key: string, name: string) =>
      app.call('/v1/me', {
        method: 'PATCH',
        as: ADMIN,
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
        body: JSON.stringify({ name }),
      });
    const keys = [
      '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
      `"'; drop table kept_answers; --"`,
      String.raw`"\"\\"`,
      '" "',
      '"%00<script>"',
      '"__proto__"',
      `"${'a'.repeat(255)}"`,
      `"${String.raw`\\`.repeat(255)}"`,
    ];
    for (const [n, key] of keys.entries()) {
      expect((await patch(key, `${n}`)).status, key).to.equal(200);
      expect(isReplayed(await patch(key, `${n}`)), key).to.equal(true);
    }
    expect(await kept()).to.have.length(keys.length);
    expect(isReplayed(await patch('8e03978e-40d5-43dd-bc93-6894a57f9324', '0'))).to.equal(true);
  });
});

describe('the answers that are kept', () => {
  let app: TestApp;

  afterEach(() => app.close());

  it('are those of 1,000 keys', async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    const { send } = sender(app, ADMIN);
    const create = (n: number) =>
      send('POST', '/v1/users', { key: `key ${n}`, body: `{"email":"u${n}@example.com"}` });
    const createAll = async () => {
      const answers: Response[] = [];
      for (let n = 0; n < 1_000; n += 20)
        answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, m) => create(n + m)))));
      return answers;
    };
    const first = await createAll();
    expect(new Set(first.map(({ status }) => status))).to.deep.equal(new Set([201]));
    const again = await createAll();
    expect(again.every(({ headers }) => headers.has('idempotent-replayed'))).to.equal(true);
    expect(again.map(({ headers }) => headers.get('location'))).to.deep.equal(
      first.map(({ headers }) => headers.get('location')),
    );
    expect(await app.database.query('select 1 from kept_answers')).to.have.length(1_000);
    expect(await accountsIn(app.database)).to.have.length(1_001);
  });

  it('name URLs under the base path', async () => {
    app = await startApp({ basePath: '/accounts' });
    await addAccount(app.database, ADMIN, { role: 'admin' });
    const create = () =>
      sender(app, ADMIN).send('POST', '/accounts/v1/users', {
        key: 'k',
        body: '{"email":"new@example.com"}',
      });
    expect((await create()).headers.get('location')).to.equal('/accounts/v1/users/2');
    expect((await create()).headers.get('location')).to.equal('/accounts/v1/users/2');
  });

  it('count with the history that an account writes', async () => {
    app = await startApp({ rateLimit: { historyBytes: 100 * 1024 } });
    await addAccount(app.database, GRACE, { preferences: { a: 'a'.repeat(16_000) } });
    const { send } = sender(app, GRACE);
    // Without a change.
    const patch = (key: string) => send('PATCH', '/v1/me', { key, body: '{"storageMode":"local"}' });
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await patch(`${n}`)).status);
    expect(statuses).to.deep.equal([200, 200, 200, 200, 200, 200, 429, 429]);
    expect((await patch('0')).status).to.equal(200);
    expect((await send('PATCH', '/v1/me', { body: '{"storageMode":"local"}' })).status).to.equal(200);
    expect(await app.database.query('select 1 from kept_answers')).to.have.length(6);
    expect((await send('DELETE', '/v1/me', { key: 'last' })).status).to.equal(204);
  });
});
