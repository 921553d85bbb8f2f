import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { sources, startApp, type TestApp } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { expectProblem } from '../support/problem.ts';
import { forge } from '../support/tokens.ts';

const ISSUER = 'https://login.example.com';

type Json = Record<string, unknown>;

describe('identities', () => {
  let app: TestApp;

  const start = async (options: Parameters<typeof startApp>[0] = {}) => {
    app = await startApp(options);
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
    await addAccount(app.database, 'ada@example.com', { name: 'Ada' });
  };
  afterEach(() => app.close());

  /** A token of an issuer whose secret we share, such as Supabase. */
  const token = (claims: Json) => forge({ claims: { iss: ISSUER, email_verified: true, ...claims } });
  const send = (bearer: string, path = '/v1/me', init: RequestInit = {}) =>
    app.call(path, { ...init, headers: { ...init.headers, Authorization: `Bearer ${bearer}` } });
  const signIn = (claims: Json, path?: string) => send(token(claims), path);
  const asAdmin = (path: string, init: RequestInit = {}) =>
    app.call(path, { as: 'admin@example.com', ...init });
  const identities = async (id = 2) =>
    ((await (await asAdmin(`/v1/users/${id}/identities`)).json()) as { items: Json[] }).items;
  const me = async (response: Response) => {
    expect(response.status, await response.clone().text()).to.equal(200);
    return (await response.json()) as Json;
  };
  const ADA = { sub: 'ada-1', email: 'ada@example.com' };

  it('are bound at the next sign-in of an account, and shown to admins', async () => {
    await start();
    expect(await identities()).to.deep.equal([]);
    expect(await me(await signIn(ADA))).to.include({ id: 2 });
    const [identity, ...rest] = await identities();
    expect(rest).to.deep.equal([]);
    expect(identity).to.deep.include({
      id: 1,
      issuer: ISSUER,
      subject: 'ada-1',
      email: 'ada@example.com',
      cutAt: null,
      cutBy: null,
    });
    await expectProblem(await signIn(ADA, '/v1/users/2/identities'), 403, 'forbidden');
    await expectProblem(await asAdmin('/v1/users/99/identities'), 404, 'not_found');
  });

  it('keep the account of somebody whose email changes, and the account follows it', async () => {
    await start();
    await signIn(ADA);
    const married = { ...ADA, email: 'Ada.King@example.com' };
    expect(await me(await signIn(married))).to.deep.include({
      id: 2,
      email: 'ada.king@example.com',
      name: 'Ada',
      version: 2,
    });
    const [entry] = await app.database.query(
      'select actor, actor_id, action, before, after, request_id is not null as has_request from changes order by id desc limit 1',
    );
    expect(entry).to.deep.equal({
      actor: 'sign-in',
      actor_id: null,
      action: 'updated',
      before: { email: 'ada@example.com' },
      after: { email: 'ada.king@example.com' },
      has_request: true,
    });
    expect(await me(await signIn(married))).to.include({ version: 2 });
    expect((await identities())[0]).to.include({ email: 'ada.king@example.com' });
    await expectProblem(await signIn({ sub: 'other', email: 'ada@example.com' }), 403, 'account_required');
  });

  it('do not leave the account to whom its address is given', async () => {
    await start({ accessPolicy: { policy: 'open', domains: [] } });
    await signIn(ADA);
    const heir = { sub: 'ada-2', email: 'ada@example.com' };
    await expectProblem(await signIn(heir), 403, 'identity_mismatch');
    await expectProblem(await signIn({ email: 'ada@example.com' }), 403, 'identity_mismatch');
    const refused = await asAdmin('/v1/access/refused');
    const { items } = (await refused.json()) as { items: Json[] };
    expect(items[0]).to.include({ email: 'ada@example.com', reason: 'identity_mismatch', count: 2 });
    expect(await me(await signIn(ADA))).to.include({ id: 2 });
  });

  it('are cut by an admin, which is remembered, and the next sign-in takes their place', async () => {
    await start();
    await signIn(ADA);
    const cut = () => asAdmin('/v1/users/2/identities/1', { method: 'DELETE' });
    await expectProblem(await signIn(ADA, '/v1/users/2/identities'), 403, 'forbidden');
    await expectProblem(await asAdmin('/v1/users/1/identities/1', { method: 'DELETE' }), 404, 'not_found');
    const dryRun = await asAdmin('/v1/users/2/identities/1?dryRun=true', { method: 'DELETE' });
    expect(await dryRun.json()).to.deep.equal({ changes: [] });
    expect((await identities())[0]).to.include({ cutAt: null });
    expect((await cut()).status).to.equal(204);
    const [{ cutAt }] = (await identities()) as [Json];
    expect((await cut()).status).to.equal(204);
    expect((await identities())[0]).to.deep.include({ cutAt, cutBy: 'admin@example.com' });
    expect(await me(await signIn({ sub: 'ada-2', email: 'ada@example.com' }))).to.include({ id: 2 });
    expect((await identities()).map(({ subject, cutBy }) => [subject, cutBy])).to.deep.equal([
      ['ada-2', null],
      ['ada-1', 'admin@example.com'],
    ]);
    await expectProblem(await signIn(ADA), 403, 'identity_mismatch');
  });

  it('cannot be cut by a service token, which may read them with users:read', async () => {
    await start();
    await signIn(ADA);
    const response = await asAdmin('/v1/service-tokens', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'all', scopes: ['users:read', 'users:write'], expiresAt: null }),
    });
    const service = ((await response.json()) as { token: string }).token;
    expect((await send(service, '/v1/users/2/identities')).status).to.equal(200);
    const cut = await send(service, '/v1/users/2/identities/1', { method: 'DELETE' });
    await expectProblem(cut, 403, 'forbidden');
  });

  it('are one at each of several issuers', async () => {
    await start();
    await signIn(ADA);
    expect(await me(await signIn({ ...ADA, iss: 'https://two.example.com', sub: '7' }))).to.include({
      id: 2,
    });
    expect((await identities()).map(({ issuer, subject }) => [issuer, subject])).to.deep.equal([
      ['https://two.example.com', '7'],
      [ISSUER, 'ada-1'],
    ]);
    const swapped = { ...ADA, iss: 'https://two.example.com' };
    await expectProblem(await signIn(swapped), 403, 'identity_mismatch');
  });

  it('are bound once when the first sign-ins come together', async () => {
    await start({ accessPolicy: { policy: 'open', domains: [] } });
    const first = { sub: 'eve-1', email: 'eve@example.com', name: 'Eve' };
    const accounts = await Promise.all(Array.from({ length: 10 }, async () => me(await signIn(first))));
    expect(new Set(accounts.map(({ id }) => id))).to.have.property('size', 1);
    expect(await identities(accounts[0]?.['id'] as number)).to.have.length(1);
  });

  it('are bound to one of two subjects that come together with one email', async () => {
    await start();
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => (await signIn({ ...ADA, sub: `ada-${n % 2}` })).status),
    );
    expect(statuses.sort()).to.deep.equal([...Array(5).fill(200), ...Array(5).fill(403)]);
    expect(await identities()).to.have.length(1);
  });

  it('let an admin decide about the email all the same', async () => {
    await start();
    await signIn(ADA);
    await asAdmin('/v1/users/2', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: '{"email":"countess@example.com"}',
    });
    expect(await me(await signIn(ADA))).to.include({ id: 2, email: 'countess@example.com' });
  });

  it('keep the account under its old email while the new one is taken, or not called verified', async () => {
    await start();
    await signIn(ADA);
    await addAccount(app.database, 'taken@example.com');
    for (const claims of [
      { email: 'taken@example.com' },
      { email: 'new@example.com', email_verified: undefined },
    ]) {
      expect(await me(await signIn({ ...ADA, ...claims }))).to.include({ id: 2, email: 'ada@example.com' });
    }
    await expectProblem(
      await signIn({ ...ADA, email: 'new@example.com', email_verified: false }),
      403,
      'email_unverified',
    );
    await app.database.query(`delete from users where email = 'taken@example.com'`);
    expect(await me(await signIn({ ...ADA, email: 'taken@example.com' }))).to.include({
      id: 2,
      email: 'taken@example.com',
    });
  });

  it('let one of two accounts that change to the same email at once have it, and keep both', async () => {
    await start();
    await addAccount(app.database, 'grace@example.com');
    const grace = { sub: 'grace-1', email: 'grace@example.com' };
    await Promise.all([signIn(ADA), signIn(grace)]);
    const shared = { email: 'shared@example.com' };
    const both = await Promise.all([
      signIn({ ...ADA, ...shared }).then(me),
      signIn({ ...grace, ...shared }).then(me),
    ]);
    expect(both.map(({ id }) => id)).to.deep.equal([2, 3]);
    expect(both.filter(({ email }) => email === 'shared@example.com')).to.have.length(1);
  });

  it('refuse a changed email under "refuse", until an admin changes that of the account', async () => {
    await start({ emailChanges: 'refuse' });
    await signIn(ADA);
    const married = { ...ADA, email: 'king@example.com' };
    await expectProblem(await signIn(married), 403, 'email_changed');
    expect(await me(await signIn(ADA))).to.include({ id: 2 });
    await app.database.query(`update users set email = 'king@example.com' where id = 2`);
    expect(await me(await signIn(married))).to.include({ id: 2 });
    expect((await identities())[0]).to.include({ email: 'king@example.com' });
  });

  it('are not made of subjects that do not last', async () => {
    await start();
    // Signed with our secret without an issuer, with an address as the subject, and by Auth.js, which makes up a subject at
    // every sign-in.
    for (const sub of ['random-1', 'random-2', undefined, 7]) {
      expect(await me(await signIn({ ...ADA, iss: undefined, sub }))).to.include({ id: 2 });
    }
    for (const sub of ['ada@example.com', 'Ada@Old.example.com', 'x'.repeat(256)]) {
      expect(await me(await signIn({ ...ADA, sub }))).to.include({ id: 2 });
    }
    for (const sub of ['uuid-1', 'uuid-2']) {
      const session = await sessionOf({ token: { sub, iss: ISSUER } });
      expect(await me(await send(session))).to.include({ id: 2 });
    }
    expect(await identities()).to.deep.equal([]);
    expect(await me(await signIn(ADA))).to.include({ id: 2 });
    expect(await me(await signIn({ ...ADA, iss: undefined, sub: 'random-3' }))).to.include({ id: 2 });
    expect(await me(await app.call('/v1/me', { as: 'ada@example.com' }))).to.include({ id: 2 });
  });

  it('cost one query a request, and a write an hour', async () => {
    await start();
    await signIn(ADA);
    const seen = async () => (await identities())[0]?.['lastSeenAt'];
    const first = await seen();
    const pool = await app.orm.em.getConnection().getNativeClient();
    let queries = 0;
    const count = () => queries++;
    pool.on('acquire', count);
    await me(await signIn(ADA));
    pool.off('acquire', count);
    expect(queries).to.equal(1);
    expect(await seen()).to.equal(first);
    await app.database.query(`update identities set last_seen_at = last_seen_at - interval '61 minutes'`);
    const old = await seen();
    await me(await signIn(ADA));
    expect(Date.parse(String(await seen()))).to.be.above(Date.parse(String(old)));
  });

  it('are part of my data export', async () => {
    await start();
    await signIn(ADA);
    const exported = (await (await signIn(ADA, '/v1/me/export')).json()) as { identities: Json[] };
    expect(exported.identities).to.deep.equal(await identities());
  });

  it('survive the restoration of a deleted account, and nothing of them survives its erasure', async () => {
    await start({ accessPolicy: { policy: 'open', domains: [] } });
    await signIn(ADA);
    await signIn({ ...ADA, email: 'king@example.com' });
    await asAdmin('/v1/users/2', { method: 'DELETE' });
    const [deletion] = await app.database.query(`select id from changes where action = 'deleted'`);
    expect((await asAdmin(`/v1/history/${deletion?.['id']}/undo`, { method: 'POST' })).status).to.equal(200);
    expect(await me(await signIn({ ...ADA, email: 'king@example.com' }))).to.include({ id: 2 });

    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, 'king@example.com'));
    expect(await app.database.query('select * from identities')).to.deep.equal([]);
    const left = JSON.stringify(await app.database.query('select * from changes'));
    expect(left).not.to.match(/king|ada@/);
    // A new account, for the same person.
    expect(await me(await signIn({ ...ADA, email: 'king@example.com' }))).not.to.include({ id: 2 });
  });

  it('go over to a new account when the old one is deleted', async () => {
    await start({ accessPolicy: { policy: 'open', domains: [] } });
    await signIn(ADA);
    await asAdmin('/v1/users/2', { method: 'DELETE' });
    const { id } = await me(await signIn(ADA));
    expect(id).not.to.equal(2);
    expect(await identities(id as number)).to.have.length(1);
    expect(await app.database.query('select * from identities')).to.have.length(1);
  });

  describe('of an OpenID Connect provider', () => {
    let provider: IdentityProvider;

    before(async () => {
      provider = await startIdentityProvider();
    });

    after(() => provider.close());

    it('are its issuer and its subjects', async () => {
      await start({
        sources: sources({ issuer: provider.issuer, jwksUrl: provider.jwksUrl, audience: [AUDIENCE] }),
      });
      const claims = { email: 'ada@example.com', sub: 'subject-1', email_verified: true };
      expect(await me(await send(await provider.token({ claims })))).to.include({ id: 2 });
      expect((await identities())[0]).to.include({ issuer: provider.issuer, email: 'ada@example.com' });
      const changed = await provider.token({ claims: { ...claims, email: 'king@example.com' } });
      expect(await me(await send(changed))).to.include({ id: 2, email: 'king@example.com' });
    });
  });
});
