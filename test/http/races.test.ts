import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { insist } from '../support/insistent.ts';
import { expectProblem } from '../support/problem.ts';

describe('concurrent writes', function () {
  this.timeout(120_000);

  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'ada@example.com', { role: 'admin' });
    await addAccount(app.database, 'grace@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const patch = (path: string, as: string, body: object, headers: Record<string, string> = {}) =>
    app.call(path, {
      method: 'PATCH',
      as,
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/merge-patch+json', ...headers },
    });

  it('all succeed when fifty of them set different keys of one account', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `key${index}`);
    const answers = await Promise.all(
      keys.map((key) => insist(() => patch('/v1/me/preferences', 'ada@example.com', { [key]: key }))),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(keys.map(() => 200));
    const [ada] = await accountsIn(app.database);
    expect(ada?.preferences).to.deep.equal(Object.fromEntries(keys.map((key) => [key, key])));
    expect(ada?.version).to.equal(51);
    expect(new Set(answers.map(({ headers }) => headers.get('etag'))).size).to.equal(50);
  });

  it('have one winner when all of them require the same version', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        insist(() => patch('/v1/me', 'ada@example.com', { name: `name ${index}` }, { 'If-Match': '"1"' })),
      ),
    );
    const [winners, losers] = [200, 412].map((wanted) => answers.filter(({ status }) => status === wanted));
    expect([winners?.length, losers?.length]).to.deep.equal([1, 19]);
    for (const loser of losers ?? []) {
      expect(loser.headers.get('etag')).to.equal('"2"');
      await expectProblem(loser, 412, 'precondition_failed');
    }
    expect((await accountsIn(app.database))[0]?.version).to.equal(2);
  });

  it('always leave an active admin: two admins demote each other, two hundred times', async () => {
    for (let round = 0; round < 200; round++) {
      const answers = await Promise.all([
        patch('/v1/users/2', 'ada@example.com', { role: 'user' }),
        patch('/v1/users/1', 'grace@example.com', { role: 'user' }),
      ]);
      const statuses = answers.map(({ status }) => status).sort();
      const admins = (await accountsIn(app.database)).filter(({ role }) => role === 'admin');
      expect(admins, `round ${round}: ${statuses}`).to.have.length(1);
      expect(statuses[0]).to.equal(200);
      // Refused by the last-admin rule, or because the other demotion came first.
      expect(statuses[1]).to.be.oneOf([403, 409]);
      await app.database.query(`update users set role = 'admin', version = version + 1`);
    }
  });

  it('always leave an active admin: admins demote, suspend and delete themselves and each other', async () => {
    for (let round = 0; round < 25; round++) {
      await Promise.all([
        app.call('/v1/me', { method: 'DELETE', as: 'ada@example.com' }),
        patch('/v1/users/1', 'grace@example.com', { status: 'suspended' }),
        patch('/v1/users/2', 'ada@example.com', { role: 'user' }),
        app.call('/v1/users/2', { method: 'DELETE', as: 'grace@example.com' }),
      ]);
      const active = await app.database.query(
        `select 1 from users where role = 'admin' and status = 'active'`,
      );
      expect(active.length, `round ${round}`).to.be.greaterThan(0);
      await app.database.query(`
        insert into users (id, email, role) values (1, 'ada@example.com', 'admin'), (2, 'grace@example.com', 'admin')
        on conflict (id) do update set role = 'admin', status = 'active', version = users.version + 1`);
    }
  });

  it('are not lost to a delete that requires an earlier version', async () => {
    for (let round = 0; round < 25; round++) {
      const { version } = (await (await app.call('/v1/users/2', { as: 'ada@example.com' })).json()) as {
        version: number;
      };
      const [written, deleted] = await Promise.all([
        patch('/v1/me', 'grace@example.com', { name: `round ${round}` }),
        app.call('/v1/users/2', {
          method: 'DELETE',
          as: 'ada@example.com',
          headers: { 'If-Match': `"${version}"` },
        }),
      ]);
      const grace = (await accountsIn(app.database)).find(({ email }) => email === 'grace@example.com');
      if (deleted.status === 204) expect(grace).to.equal(undefined);
      else expect([deleted.status, grace?.name]).to.deep.equal([412, `round ${round}`]);
      expect(written.status === 200 && deleted.status === 204, `round ${round}: both won`).to.equal(false);
      if (!grace)
        await app.database.query(
          `insert into users (id, email, role) values (2, 'grace@example.com', 'admin')`,
        );
    }
  });

  it('create one account when ten of them use the same email', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        app.call('/v1/users', {
          method: 'POST',
          as: 'ada@example.com',
          body: JSON.stringify({ email: 'New@example.com' }),
          headers: { 'Content-Type': 'application/json' },
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, ...Array(9).fill(409)]);
  });
});
