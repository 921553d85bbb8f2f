import { expect } from 'chai';
import { runAlone } from '../../src/store/statements.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { signInToConsole } from '../support/console.ts';

/** More often than PostgreSQL tries plans for the values at hand, before it keeps one for all. */
const TIMES = 12;

describe('the statements that requests share', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp({ poolMax: 1 });
    await addAccount(app.database, 'ada@example.com', { role: 'admin' });
  });
  afterEach(() => app.close());

  const admin = async (method: string, path: string, body?: object) => {
    const answer = await app.call(path, {
      as: 'ada@example.com',
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    expect(answer.status, `${method} ${path}`).to.be.below(300);
    return answer;
  };

  it('are planned once for each connection, however few callers ask at once', async () => {
    const made = await admin('POST', '/v1/service-tokens', {
      name: 'billing',
      scopes: ['users:read'],
      expiresAt: null,
    });
    const { token } = (await made.json()) as { token: string };
    const browser = await signInToConsole(app, 'ada@example.com');
    for (let n = 0; n < TIMES; n++) {
      await admin('GET', '/v1/users');
      await admin('PATCH', '/v1/me/preferences', { page: n });
      const created = await admin('POST', '/v1/users', { email: `u${n}@example.com` });
      await admin('DELETE', `/v1/users/${((await created.json()) as { id: number }).id}`);
      const asService = await app.call('/v1/users', { headers: { Authorization: `Bearer ${token}` } });
      expect(asService.status).to.equal(200);
      expect((await browser.call('/v1/me')).status).to.equal(200);
    }
    // The pool has one connection, so this sees what requests have prepared.
    const prepared = await runAlone<{ name: string; planned: number; runs: number }>(app.orm.em.fork(), {
      text: `select name, custom_plans::int as planned, (generic_plans + custom_plans)::int as runs from pg_prepared_statements where name <> ''`,
      values: [],
    });
    const often = prepared.filter(({ runs }) => runs >= TIMES);
    expect(often.map(({ name }) => name)).to.include.members([
      'accounts-of-signers',
      'console-sessions-in-use',
      'service-tokens-in-use',
      'accounts by -createdAt',
      'create-account',
      'update-account',
      'delete-account',
    ]);
    for (const { name, planned } of often) expect(planned, name).to.be.at.most(5);
  });
});
