import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import {
  browserWith,
  codeFor,
  cookieOf,
  OWN_PAGE,
  redeem,
  type SignedIn,
  signInToConsole,
} from '../support/console.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

const ADMIN = 'admin@example.com';
const ADA = 'ada@example.com';
const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('sessions of the console', () => {
  let app: TestApp;
  let adaId: number;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, 'other@example.com', { role: 'admin' });
    adaId = (await addAccount(app.database, ADA)).id;
  });
  afterEach(() => app.close());

  const state = async (cookie: string) =>
    (await (await browserWith(app, cookie)('/v1/session')).json()) as Record<string, unknown>;
  const sessions = () => app.database.query<{ id: number }>('select id from console_sessions order by id');
  /** Lets time pass for all sessions: moves their times back. */
  const pass = (time: string) =>
    app.database.query(`update console_sessions
      set created_at = created_at - interval '${time}', last_used_at = last_used_at - interval '${time}',
          expires_at = expires_at - interval '${time}'`);

  it('begin with a link, and identify their account from then on', async () => {
    const code = await codeFor(app, ADMIN);
    const response = await redeem(app, code, { 'User-Agent': 'Firefox' });
    expect(response.status).to.equal(201);
    const body = (await response.json()) as SignedIn;
    expect(body.account).to.include({ email: ADMIN, role: 'admin' });
    expect(body.session).to.include({ door: 'code', address: '127.0.0.1', userAgent: 'Firefox' });
    const cookie = cookieOf(response);
    const call = browserWith(app, cookie);
    expect(await (await call('/v1/me')).json()).to.deep.include({ email: ADMIN });
    expect((await call('/v1/users')).status).to.equal(200);
    expect(await state(cookie)).to.deep.include({ ...body, idleSeconds: 1_800 });

    const [row] = await app.database.query('select * from console_sessions');
    const [, token = ''] = cookie.split('=');
    for (const text of [JSON.stringify(row), JSON.stringify(app.log)]) {
      expect(text).not.to.contain(token);
      expect(text).not.to.contain(code);
    }
    const lines = app.log.filter(({ msg, credential }) => msg === 'request' && credential === 'session');
    expect(lines).to.have.length(2);
  });

  it('tell how to sign in where nobody is signed in', async () => {
    expect(await state('')).to.deep.include({
      account: null,
      session: null,
      doors: { authjs: { email: null }, oidc: null },
    });
    expect(await state(`rollcall-console=${'A'.repeat(43)}`)).to.deep.include({ account: null });
    expect(await state('rollcall-console=nonsense')).to.deep.include({ account: null });
  });

  it('begin with a link once, also where it is used twice at the same moment', async () => {
    const code = await codeFor(app, ADMIN);
    const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(app, code)));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, ...Array(7).fill(401)]);
    expect(await sessions()).to.have.length(1);
    await expectProblem(await redeem(app, code), 401, 'unauthenticated');
  });

  it('use no link up, and end no session, where they cannot begin', async () => {
    const before = await signInToConsole(app, ADA);
    const code = await codeFor(app, ADMIN);
    await app.database.query(`
      create function fail() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$;
      create trigger fail after insert on console_sessions for each row execute function fail()`);
    expect((await redeem(app, code, { Cookie: before.cookie })).status).to.equal(500);
    expect((await before.call('/v1/me')).status).to.equal(200);
    await app.database.query('drop function fail cascade');
    expect((await redeem(app, code)).status).to.equal(201);
  });

  it('begin and end together with a suspension at the same moment, and never after it', async () => {
    for (let n = 0; n < 10; n++) {
      const code = await codeFor(app, ADA);
      const suspend = (status: string) =>
        app.call(`/v1/users/${adaId}`, {
          method: 'PATCH',
          as: ADMIN,
          headers: JSON_TYPE,
          body: JSON.stringify({ status }),
        });
      const [response, suspended] = await Promise.all([redeem(app, code), suspend('suspended')]);
      expect(suspended.status).to.equal(200);
      expect(response.status).to.be.oneOf([201, 401]);
      expect(
        await app.database.query('select from console_sessions union all select from console_codes'),
      ).to.deep.equal([]);
      await suspend('active');
    }
  });

  it('begin with a link for two minutes, and not after the account was suspended or deleted', async () => {
    const [late, suspended, deleted] = [
      await codeFor(app, ADA),
      await codeFor(app, ADA),
      await codeFor(app, 'other@example.com'),
    ];
    const [row] = await app.database.query<{ seconds: number }>(
      'select round(extract(epoch from max(expires_at) - now()))::int as seconds from console_codes',
    );
    expect(row?.seconds).to.be.within(60, 120);
    await app.database.query(`update console_codes set expires_at = now()
      where digest = encode(sha256('${late}'), 'hex')`);
    await expectProblem(await redeem(app, late), 401, 'unauthenticated');
    for (const status of ['suspended', 'active']) {
      await app.call(`/v1/users/${adaId}`, {
        method: 'PATCH',
        as: ADMIN,
        headers: JSON_TYPE,
        body: JSON.stringify({ status }),
      });
    }
    await expectProblem(await redeem(app, suspended), 401, 'unauthenticated');
    await app.call('/v1/me', { method: 'DELETE', as: 'other@example.com' });
    await expectProblem(await redeem(app, deleted), 401, 'unauthenticated');
    for (const nonsense of ['', 'nonsense', 'A'.repeat(43)]) {
      await expectProblem(await redeem(app, nonsense), 401, 'unauthenticated');
    }
    expect(await sessions()).to.deep.equal([]);
  });

  it('begin with an Auth.js session or a token, which is checked as ever', async () => {
    const enter = (headers: Record<string, string>) =>
      app.call('/v1/session', { method: 'POST', headers: { ...OWN_PAGE, ...headers } });
    const authjs = `authjs.session-token=${await sessionOf({ token: { email: ADA } })}`;
    expect(await state(authjs)).to.deep.include({
      account: null,
      doors: { authjs: { email: ADA }, oidc: null },
    });
    const response = await enter({ Cookie: authjs });
    expect(response.status).to.equal(201);
    expect(((await response.json()) as SignedIn).session.door).to.equal('authjs');
    expect(await state(cookieOf(response))).to.have.nested.property('account.email', ADA);

    const byToken = await app.call('/v1/session', { method: 'POST', as: ADMIN });
    expect(((await byToken.json()) as SignedIn).session.door).to.equal('bearer');
    const nobody = `authjs.session-token=${await sessionOf({ token: { email: 'nobody@example.com' } })}`;
    await expectProblem(await enter({ Cookie: nobody }), 403, 'account_required');
    await expectProblem(await enter({}), 401, 'unauthenticated');
    // A session is no sign-in: it would never end.
    const { cookie } = await signInToConsole(app, ADA);
    await expectProblem(await enter({ Cookie: cookie }), 401, 'unauthenticated');
    const service = await app.call('/v1/service-tokens', {
      method: 'POST',
      as: ADMIN,
      headers: JSON_TYPE,
      body: JSON.stringify({ name: 'backend', scopes: ['users:read'], expiresAt: null }),
    });
    const { token } = (await service.json()) as { token: string };
    await expectProblem(await enter({ Authorization: `Bearer ${token}` }), 403, 'forbidden');
  });

  it('have a new token after each sign-in, and end the one that the browser had', async () => {
    const planted = await signInToConsole(app, ADA);
    const { cookie, session } = await signInToConsole(app, ADMIN, { Cookie: planted.cookie });
    expect(cookie).not.to.equal(planted.cookie);
    await expectProblem(await planted.call('/v1/me'), 401, 'unauthenticated');
    expect(await sessions()).to.deep.equal([{ id: session.id }]);
    // A token that we have not made becomes nobody's.
    const made = `rollcall-console=${'B'.repeat(43)}`;
    const other = await signInToConsole(app, ADA, { Cookie: made });
    expect(other.cookie).not.to.equal(made);
    await expectProblem(await browserWith(app, made)('/v1/me'), 401, 'unauthenticated');
  });

  it('last for 30 minutes without a request, and for 8 hours in all', async () => {
    const { cookie, call } = await signInToConsole(app, ADMIN);
    const lastUse = async () => {
      const [row] = await app.database.query<{ ago: number }>(
        'select round(extract(epoch from now() - last_used_at))::int as ago from console_sessions',
      );
      return row?.ago ?? 0;
    };
    for (let minutes = 29; minutes < 8 * 60; minutes += 29) {
      await pass('29 minutes');
      // Asking who is signed in is no use.
      expect(await state(cookie)).not.to.have.property('account', null);
      expect((await call('/v1/me')).status, `${minutes}`).to.equal(200);
      await until('the use to be noted', async () => (await lastUse()) < 60);
    }
    await pass('29 minutes');
    await expectProblem(await call('/v1/me'), 401, 'unauthenticated');

    const idle = await signInToConsole(app, ADA);
    await pass('29 minutes');
    expect(await state(idle.cookie)).not.to.have.property('account', null);
    await pass('2 minutes');
    await expectProblem(await idle.call('/v1/me'), 401, 'unauthenticated');
    expect(await state(idle.cookie)).to.have.property('account', null);
  });

  it('are not kept alive by what an open page asks for while nobody uses it', async () => {
    const unattended = await signInToConsole(app, ADMIN);
    const attended = await signInToConsole(app, ADA);
    const headers = { 'Rollcall-Console': 'unattended' };
    await pass('20 minutes');
    expect((await unattended.call('/v1/me', { headers })).status).to.equal(200);
    expect((await attended.call('/v1/me', { headers: { 'Rollcall-Console': '1' } })).status).to.equal(200);
    await until('one use to be noted', async () => {
      const [row] = await app.database.query<{ noted: number }>(
        `select count(*)::int as noted from console_sessions where last_used_at > now() - interval '1 minute'`,
      );
      return row?.noted === 1;
    });
    await pass('11 minutes');
    await expectProblem(await unattended.call('/v1/me', { headers }), 401, 'unauthenticated');
    expect((await attended.call('/v1/me', { headers })).status).to.equal(200);
  });

  it('note their use once a minute, and wait for nobody who holds the row', async () => {
    const { call } = await signInToConsole(app, ADA);
    const stamp = async () =>
      (await app.database.query<{ at: Date }>('select last_used_at as at from console_sessions'))[0]?.at;
    const before = await stamp();
    await Promise.all(Array.from({ length: 20 }, () => call('/v1/me')));
    expect(await stamp()).to.deep.equal(before);
    await pass('61 seconds');
    const moved = await stamp();
    const holder = await app.database.connect();
    await holder.query('begin; select from console_sessions for update');
    expect((await call('/v1/me')).status).to.equal(200);
    expect(await stamp()).to.deep.equal(moved);
    await holder.query('commit');
    await until('the use to be noted', async () => {
      await call('/v1/me');
      return (await stamp())?.getTime() !== moved?.getTime();
    });
    const [row] = await app.database.query<{ changes: number; version: number }>(
      `select count(*)::int as changes, max(users.version) as version
         from changes join users on users.id = user_id where email = '${ADA}'`,
    );
    expect(row).to.deep.equal({ changes: 1, version: 1 });
  });

  it('end with the account, and with its suspension for good', async () => {
    const ada = await signInToConsole(app, ADA);
    const admin = await signInToConsole(app, ADMIN);
    const write = (status: string) =>
      admin.call(`/v1/users/${adaId}`, {
        method: 'PATCH',
        headers: JSON_TYPE,
        body: JSON.stringify({ status }),
      });
    expect((await write('suspended')).status).to.equal(200);
    await expectProblem(await ada.call('/v1/me'), 401, 'unauthenticated');
    expect((await write('active')).status).to.equal(200);
    await expectProblem(await ada.call('/v1/me'), 401, 'unauthenticated');

    const again = await signInToConsole(app, ADA);
    expect((await again.call('/v1/me', { method: 'DELETE' })).status).to.equal(204);
    await expectProblem(await again.call('/v1/me'), 401, 'unauthenticated');
    expect(await sessions()).to.deep.equal([{ id: admin.session.id }]);
  });

  it('end with a suspension by an operator’s own statement, whatever its search path', async () => {
    const ada = await signInToConsole(app, ADA);
    const connection = await app.database.connect();
    await connection.query(`set search_path = ''`);
    await connection.query(`update public.users set status = 'suspended' where email = '${ADA}'`);
    await connection.query(`update public.users set status = 'active' where email = '${ADA}'`);
    await expectProblem(await ada.call('/v1/me'), 401, 'unauthenticated');
  });

  it('let a demoted admin do what any account may, and no more', async () => {
    const { call, account } = await signInToConsole(app, 'other@example.com');
    expect((await call('/v1/sessions')).status).to.equal(200);
    await app.call(`/v1/users/${account.id}`, {
      method: 'PATCH',
      as: ADMIN,
      headers: JSON_TYPE,
      body: '{"role":"user"}',
    });
    for (const path of ['/v1/users', '/v1/sessions', '/v1/history', '/v1/changes']) {
      await expectProblem(await call(path), 403, 'forbidden');
    }
    expect((await call('/v1/me')).status).to.equal(200);
    const renamed = await call('/v1/me', { method: 'PATCH', headers: JSON_TYPE, body: '{"name":"Other"}' });
    expect(renamed.status).to.equal(200);
  });

  it('are signed out from on the server, and the cookie is removed', async () => {
    const { call, cookie } = await signInToConsole(app, ADA);
    const response = await call('/v1/session/sign-out', { method: 'POST' });
    expect(response.status).to.equal(204);
    expect(response.headers.getSetCookie()).to.deep.equal([
      'rollcall-console=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    ]);
    await expectProblem(await call('/v1/me'), 401, 'unauthenticated');
    expect(await sessions()).to.deep.equal([]);
    expect((await browserWith(app, cookie)('/v1/session/sign-out', { method: 'POST' })).status).to.equal(204);
  });

  it('are at most ten of an account, of which the oldest ends', async () => {
    const opened = [];
    for (let n = 0; n < 10; n++) opened.push(await signInToConsole(app, ADA));
    const others = await Promise.all([1, 2, 3].map(() => signInToConsole(app, ADA)));
    const answers = await Promise.all([...opened, ...others].map(({ call }) => call('/v1/me')));
    expect(answers.map(({ status }) => status)).to.deep.equal([
      ...Array(3).fill(401),
      ...Array(10).fill(200),
    ]);
  });
});

describe('the list of sessions', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
  });
  afterEach(() => app.close());

  interface Listed {
    readonly id: number;
    readonly isCurrent: boolean;
    readonly account?: { readonly email: string };
  }
  const list = async (response: Response) =>
    (await response.json()) as { items: Listed[]; nextCursor?: string | null };

  it('shows everybody their own, and lets them end them', async () => {
    const [phone, laptop] = [await signInToConsole(app, ADA), await signInToConsole(app, ADA)];
    const admin = await signInToConsole(app, ADMIN);
    const { items } = await list(await laptop.call('/v1/me/sessions'));
    expect(items.map(({ id, isCurrent }) => [id, isCurrent])).to.deep.equal([
      [laptop.session.id, true],
      [phone.session.id, false],
    ]);
    const end = (id: number, query = '') =>
      laptop.call(`/v1/me/sessions/${id}${query}`, { method: 'DELETE' });
    await expectProblem(await end(admin.session.id), 404, 'not_found');
    expect((await end(phone.session.id, '?dryRun=true')).status).to.equal(200);
    expect((await phone.call('/v1/me')).status).to.equal(200);
    expect((await end(phone.session.id)).status).to.equal(204);
    await expectProblem(await phone.call('/v1/me'), 401, 'unauthenticated');
    expect((await end(laptop.session.id)).status).to.equal(204);
    await expectProblem(await laptop.call('/v1/me'), 401, 'unauthenticated');
    expect((await admin.call('/v1/me')).status).to.equal(200);
  });

  it('shows admins all of them, in pages, and lets them end any', async () => {
    const opened = [];
    for (const email of [ADA, ADMIN, ADA]) opened.push(await signInToConsole(app, email));
    const [oldest, admin, newest] = opened as [(typeof opened)[0], (typeof opened)[0], (typeof opened)[0]];
    const first = await list(await admin.call('/v1/sessions?limit=2'));
    expect(first.items.map(({ id, isCurrent, account }) => [id, isCurrent, account?.email])).to.deep.equal([
      [newest.session.id, false, ADA],
      [admin.session.id, true, ADMIN],
    ]);
    const rest = await list(await admin.call(`/v1/sessions?limit=2&cursor=${first.nextCursor}`));
    expect(rest.items.map(({ id }) => id)).to.deep.equal([oldest.session.id]);
    expect(rest.nextCursor).to.equal(null);
    await app.database.query(`update console_sessions set last_used_at = now() - interval '31 minutes'
      where id = ${oldest.session.id}`);
    expect((await list(await admin.call('/v1/sessions'))).items).to.have.length(2);

    await expectProblem(await newest.call('/v1/sessions'), 403, 'forbidden');
    const end = (query = '') => admin.call(`/v1/sessions/${newest.session.id}${query}`, { method: 'DELETE' });
    expect((await end('?dryRun=true')).status).to.equal(200);
    expect((await newest.call('/v1/me')).status).to.equal(200);
    expect((await end()).status).to.equal(204);
    await expectProblem(await newest.call('/v1/me'), 401, 'unauthenticated');
    await expectProblem(await end(), 404, 'not_found');
  });

  it('is part of the data export', async () => {
    const { call, session } = await signInToConsole(app, ADA, { 'User-Agent': 'Firefox' });
    await signInToConsole(app, ADMIN);
    const { sessions } = (await (await call('/v1/me/export')).json()) as { sessions: unknown[] };
    expect(sessions).to.deep.equal([session]);
  });

  it('has nothing left of an account that is erased, and an undo of a deletion signs nobody in', async () => {
    const erased = await signInToConsole(app, ADA, { 'User-Agent': 'Firefox of Ada' });
    await codeFor(app, ADA);
    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, ADA));
    await expectProblem(await erased.call('/v1/me'), 401, 'unauthenticated');
    expect(await app.database.query('select from console_codes')).to.deep.equal([]);
    expect(JSON.stringify(await app.database.query('select * from console_sessions'))).not.to.contain('Ada');

    await addAccount(app.database, 'grace@example.com');
    const deleted = await signInToConsole(app, 'grace@example.com');
    expect((await deleted.call('/v1/me', { method: 'DELETE' })).status).to.equal(204);
    const [entry] = await app.database.query<{ id: string }>('select max(id) as id from changes');
    const undone = await app.call(`/v1/history/${entry?.id}/undo`, { as: ADMIN, method: 'POST' });
    expect(undone.status).to.equal(200);
    await expectProblem(await deleted.call('/v1/me'), 401, 'unauthenticated');
  });
});
