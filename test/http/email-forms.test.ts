import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadSettings } from '../../config/settings.ts';
import { BOOT } from '../../src/domain/author.ts';
import { seedAdmins } from '../../src/services/accounts/admin-seeder.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { programEnvironment, programOf } from '../support/programs.ts';

const ASCII = 'boss@xn--mller-kva.example';
const READABLE = 'boss@müller.example';
const FORMS = [ASCII, READABLE, 'Boss@MÜLLER.example', 'boss@XN--MLLER-KVA.example'];

describe('an email at an internationalized domain', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp({ accessPolicy: { policy: 'domains', domains: ['xn--mller-kva.example'] } });
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const asAdmin = (method: string, path: string, body?: object) =>
    app.call(path, {
      as: 'admin@example.com',
      method,
      ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const listed = async (query: Record<string, string>) => {
    const response = await asAdmin('GET', `/v1/users?${new URLSearchParams(query)}`);
    return ((await response.json()) as { items: { email: string }[] }).items.map(({ email }) => email);
  };
  const emails = async () => (await accountsIn(app.database)).map(({ email }) => email).slice(1);

  it('is one account for sign-ins, the access policy, seeds and settings', async () => {
    for (const as of FORMS) {
      const response = await app.call('/v1/me', { as });
      expect(await response.json(), as).to.include({ email: READABLE });
    }
    const { initialAdmins } = loadSettings({ INITIAL_ADMINS: FORMS.join() });
    expect(initialAdmins).to.deep.equal([READABLE]);
    await unitsOfWork(app.orm, BOOT)((unit) => seedAdmins(unit, initialAdmins));
    expect(await emails()).to.deep.equal([READABLE]);
    for (const as of FORMS) expect((await app.call('/v1/users', { as })).status, as).to.equal(200);
  });

  it('cannot be given twice, by a request or by an import', async () => {
    expect((await asAdmin('POST', '/v1/users', { email: ASCII })).status).to.equal(201);
    for (const email of FORMS) {
      await expectProblem(await asAdmin('POST', '/v1/users', { email }), 409, 'email_taken');
    }
    const response = await app.call('/v1/users/import?mode=upsert', {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: FORMS.map((email, index) => JSON.stringify({ email, name: `${index}` })).join('\n'),
    });
    expect(await response.json()).to.include({ created: 0, updated: 4 });
    expect(await emails()).to.deep.equal([READABLE]);
  });

  it('is found in each of its forms: in the list, whole and in part, and in the audit log', async () => {
    const { id } = (await (await app.call('/v1/me', { as: ASCII })).json()) as { id: number };
    for (const form of FORMS) {
      expect(await listed({ email: form }), form).to.deep.equal([READABLE]);
      expect(await listed({ q: form }), form).to.deep.equal([READABLE]);
    }
    for (const q of ['xn--mller-kva', '@xn--mller-kva.ex', 'müller', 'MÜLL']) {
      expect(await listed({ q }), q).to.deep.equal([READABLE]);
    }
    await app.database.query(
      `insert into changes (actor_id, actor, user_id, action, before, after, fields, version)
       values ($1, $2, $1, 'updated', '{"name":null}', '{"name":"x"}', '{name}', 2)`,
      [id, ASCII],
    );
    for (const actor of FORMS) {
      const response = await asAdmin('GET', `/v1/history?${new URLSearchParams({ actor })}`);
      const { items } = (await response.json()) as { items: { actor: string }[] };
      expect(
        items.map((item) => item.actor),
        actor,
      ).to.deep.equal([ASCII]);
    }
  });

  it('is shown and erased by the command line in each form, with what was deleted under an older one', async () => {
    const accounts = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [programOf('src/commands/accounts.ts'), ...args],
        {
          cwd: join(import.meta.dirname, '../..'),
          env: { ...programEnvironment(), ENVIRONMENT: 'test', DATABASE_URL: app.database.url },
          encoding: 'utf8',
        },
      );
      expect([status, stderr], args.join(' ')).to.deep.equal([0, '']);
      return stdout;
    };
    accounts('invite', ASCII);
    for (const form of FORMS) expect(accounts('show', form)).to.include(READABLE);
    accounts('delete', READABLE);
    // As versions before stored it.
    await app.database.query(
      `update changes set before = jsonb_set(before, '{email}', to_jsonb($1::text)) where action = 'deleted'`,
      [ASCII],
    );
    accounts('erase', READABLE);
    const rows = await app.database.query(
      'select before, after from changes where user_id <> 1 and (before is not null or after is not null)',
    );
    expect(rows).to.deep.equal([]);
  });

  it('is restored in the form that sign-ins find, whatever the history has', async () => {
    await asAdmin('POST', '/v1/users', { email: ASCII });
    const [account] = await app.database.query<{ id: number }>('select id from users where email = $1', [
      READABLE,
    ]);
    await asAdmin('DELETE', `/v1/users/${account?.id}`);
    const [deletion] = await app.database.query<{ id: string }>(
      `update changes set before = jsonb_set(before, '{email}', to_jsonb($1::text)) where action = 'deleted' returning id`,
      [ASCII],
    );
    const response = await asAdmin('POST', `/v1/history/${deletion?.id}/undo`);
    expect(response.status, await response.text()).to.equal(200);
    expect(await emails()).to.deep.equal([READABLE]);
  });
});

describe('an email with characters that stand for others', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp({ accessPolicy: { policy: 'open', domains: [] } });
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
    await addAccount(app.database, 'kim@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const forms = [
    'ªdmin@example.com',
    'ᴬdmin@example.com',
    'ＡＤＭＩＮ@example.com',
    'admin＠example.com',
    'admin@example․com',
    'admin@example．com',
    'admin@example。com',
    'admin@exam\u00adple.com',
    'admin@ex\u200bample.com',
    '𝐚dmin@example.com',
    'admin@ⓔxample.com',
    '\u212Aim@example.com',
    'admin@example.com\ufe0f',
  ];
  for (const email of forms) {
    it(`does not sign in: ${JSON.stringify(email)}`, async () => {
      const response = await app.call('/v1/users', { as: email });
      expect(response.status).to.be.oneOf([401, 403]);
      expect(await response.json())
        .to.have.property('code')
        .that.is.oneOf(['unauthenticated', 'account_required']);
      expect(await accountsIn(app.database)).to.have.lengthOf(2);
    });
  }

  it('is refused wherever it would be stored, with the email that it stands for', async () => {
    const headers = { 'Content-Type': 'application/json' };
    const send = (method: string, path: string, body: string, type = headers['Content-Type']) =>
      app.call(path, { as: 'admin@example.com', method, headers: { 'Content-Type': type }, body });
    const body = JSON.stringify({ email: 'ªda@example.com' });
    for (const [method, path] of [
      ['POST', '/v1/users'],
      ['PATCH', '/v1/users/2'],
    ] as const) {
      const { detail } = await expectProblem(await send(method, path, body), 422, 'email_invalid');
      expect(detail).to.equal(
        'This email has characters that stand for others: write it as ada@example.com.',
      );
    }
    const line = JSON.stringify({ email: 'ªdmin@example.com', name: 'Mallory', role: 'user' });
    const report = await send('POST', '/v1/users/import?mode=upsert', line, 'application/x-ndjson');
    expect(JSON.stringify(await report.json())).to.include('write it as admin@example.com');
    expect(() => loadSettings({ INITIAL_ADMINS: 'ªdmin@example.com' })).to.throw(/ªdmin@example\.com/);
    expect((await accountsIn(app.database)).map(({ name }) => name)).to.deep.equal([null, null]);
  });

  it('may be typed in fullwidth letters and with decomposed accents, which are stored as the usual ones', async () => {
    for (const [typed, stored] of [
      ['ＡＤＡ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'ada@example.com'],
      ['A\u0308nne@example.com', 'änne@example.com'],
    ]) {
      const response = await app.call('/v1/users', {
        as: 'admin@example.com',
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: typed }),
      });
      expect(await response.json()).to.include({ email: stored });
    }
  });
});
