import { expect } from 'chai';
import { mintServiceToken } from '../../src/security/service-token.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';
const EVE = 'eve@example.com';
const KIB = 1024;

/** Preferences of a good 14 KiB. */
const wide = (value: unknown) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: 1_500 }, (_, n) => [`k${n}`, value])));

describe('the rate limit of the history that an account writes', () => {
  let database: TestDatabase;
  let apps: TestApp[];

  beforeEach(async () => {
    apps = [];
    database = await createMigratedDatabase();
    await addAccount(database, ADMIN, { role: 'admin' });
    for (const email of [GRACE, EVE]) await addAccount(database, email);
  });

  afterEach(async () => {
    for (const app of apps) await app.stop();
    await database.drop();
  });

  const start = async (historyBytes: number, store: 'memory' | 'database' = 'memory') => {
    const app = await startApp({ database, rateLimit: { historyBytes, store } });
    apps.push(app);
    return app;
  };
  const put = (app: TestApp, as: string, body: string, query = '') =>
    app.call(`/v1/me/preferences${query}`, {
      method: 'PUT',
      as,
      body,
      headers: { 'Content-Type': 'application/json' },
    });
  const count = async (table: string) => (await database.query(`select from ${table}`)).length;
  const expectLimited = async (response: Response, kib: number) => {
    const wait = response.headers.get('retry-after') ?? '';
    expect(Number(wait)).to.be.within(3_500, 3_600);
    expect(response.headers.get('ratelimit-policy')).to.equal(`"history";q=${kib};w=3600`);
    expect(response.headers.get('ratelimit')).to.equal(`"history";r=0;t=${wait}`);
    await expectProblem(response, 429, 'rate_limited');
  };

  it('refuses changes beyond it, and writes nothing of them', async () => {
    const app = await start(150 * KIB);
    expect((await put(app, GRACE, wide(1))).status).to.equal(200);
    expect((await put(app, GRACE, wide(2))).status).to.equal(200);
    const rows = [await count('changes'), await count('change_fields')];
    for (const body of [wide(3), '{"theme":"dark"}']) await expectLimited(await put(app, GRACE, body), 150);
    expect([await count('changes'), await count('change_fields')]).to.deep.equal(rows);
    const me = (await (await app.call('/v1/me', { as: GRACE })).json()) as Record<string, unknown>;
    expect(me['preferences']).to.deep.equal(JSON.parse(wide(2)));
  });

  it('does not affect reads, dry runs, what changes nothing, other accounts and the deletion of the account', async () => {
    const app = await start(KIB);
    expect((await put(app, GRACE, '{"theme":"dark"}')).status).to.equal(200);
    await expectLimited(await put(app, GRACE, '{}'), 1);
    expect((await app.call('/v1/me/history', { as: GRACE })).status).to.equal(200);
    expect((await put(app, GRACE, '{"theme":"dark"}')).status).to.equal(200);
    for (let times = 0; times < 3; times++) {
      expect((await put(app, GRACE, wide(1), '?dryRun=true')).status).to.equal(200);
    }
    expect((await put(app, EVE, '{"theme":"dark"}')).status).to.equal(200);
    expect((await app.call('/v1/me', { as: GRACE, method: 'DELETE' })).status).to.equal(204);
  });

  it('stays the same for an account that is deleted and created again at the next sign-in', async () => {
    const app = await startApp({
      database,
      accessPolicy: { policy: 'open', domains: [] },
      rateLimit: { historyBytes: 150 * KIB, requests: 9 },
    });
    apps.push(app);
    const statuses: number[] = [];
    for (let times = 0; times < 4; times++) {
      statuses.push((await put(app, 'new@example.com', wide(times))).status);
      statuses.push((await app.call('/v1/me', { as: 'new@example.com', method: 'DELETE' })).status);
    }
    expect(statuses.filter((status) => status !== 204)).to.deep.equal([200, 200, 429, 429]);
    expect((await app.call('/v1/me', { as: 'new@example.com' })).status).to.equal(200);
    const response = await app.call('/v1/me', { as: 'new@example.com' });
    expect(response.headers.get('ratelimit-policy')).to.equal('"requests";q=9;w=60');
    await expectProblem(response, 429, 'rate_limited');
  });

  it('does not apply to admins, their imports and service tokens', async () => {
    const app = await start(KIB);
    const minted = mintServiceToken();
    await database.query(
      `insert into service_tokens (name, digest, scopes, created_by, expires_at)
       values ('sync', $1, '{users:write}', 'test', now() + interval '1 day')`,
      [minted.digest],
    );
    const [grace] = await database.query<{ id: number }>(`select id from users where email = $1`, [GRACE]);
    for (const value of [1, 2]) {
      expect((await put(app, ADMIN, wide(value))).status).to.equal(200);
      const imported = await app.call('/v1/users/import?mode=upsert', {
        as: ADMIN,
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson' },
        body: `{"email":"${EVE}","preferences":${wide(value)}}\n`,
      });
      expect(imported.status).to.equal(200);
      const changed = await app.call(`/v1/users/${grace?.id}`, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${minted.token}` },
        body: `{"preferences":${wide(value)}}`,
      });
      expect(changed.status).to.equal(200);
    }
  });

  it('admits no more when changes arrive at once', async () => {
    const app = await start(5 * KIB);
    const responses = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        app.call('/v1/me/preferences', {
          method: 'PATCH',
          as: GRACE,
          body: `{"key${n}":1}`,
          headers: { 'Content-Type': 'application/json' },
        }),
      ),
    );
    const admitted = responses.filter(({ status }) => status === 200).length;
    expect(admitted).to.be.within(1, 5);
    // On a busy machine, a queue that goes on slowly refuses the newest, which count too.
    for (const { status } of responses) expect(status).to.be.oneOf([200, 429, 503]);
    expect(await count(`changes where action = 'updated'`)).to.equal(admitted);
  });

  it('is shared by processes that count in the database, where a replayed change counts once', async () => {
    const [one, other] = [await start(40 * KIB, 'database'), await start(40 * KIB, 'database')];
    const patch = (app: TestApp, as: string, n: number) =>
      app.call('/v1/me/preferences', {
        method: 'PATCH',
        as,
        body: `{"key${n}":1}`,
        headers: { 'Content-Type': 'application/json' },
      });
    const responses = await Promise.all(
      Array.from({ length: 16 }, (_, n) => patch(n % 2 ? one : other, GRACE, n)),
    );
    // All of them change one row, so most have lost a race. As many wait in any queue, however slowly it goes on.
    expect(responses.map(({ status }) => status)).to.deep.equal(Array(16).fill(200));
    expect(await database.query('select points from rate_limits')).to.deep.equal([{ points: 16 }]);
    expect((await put(one, GRACE, wide(1))).status).to.equal(429);
    await expectLimited(await patch(other, GRACE, 21), 40);
  });

  it('needs no connection while it holds another', async () => {
    const app = await start(40 * KIB, 'database');
    const emails = Array.from({ length: 40 }, (_, n) => `u${n}@example.com`);
    for (const email of emails) await addAccount(database, email);
    const responses = await Promise.all(emails.map((email) => put(app, email, '{"theme":"dark"}')));
    expect(responses.map(({ status }) => status)).to.deep.equal(Array(40).fill(200));
    expect(app.log.filter(({ msg }) => `${msg}`.startsWith('rate limits cannot'))).to.deep.equal([]);
  });
});
