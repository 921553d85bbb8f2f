import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { forge } from '../support/tokens.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const BAD = [' ', '\u3164', '\u200b\u00a0', '\u2800', 'A\u202eda'];

describe('the name of an account', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({ accessPolicy: { policy: 'open', domains: [] } });
    await addAccount(app.database, 'admin@example.com', { role: 'admin', name: 'Admin' });
  });

  after(() => app.close());

  const send = (method: string, path: string, body: object) =>
    app.call(path, { as: 'admin@example.com', method, headers: JSON_TYPE, body: JSON.stringify(body) });
  const names = async () => (await accountsIn(app.database)).map(({ name }) => name);

  for (const [what, method, path] of [
    ['created', 'POST', '/v1/users'],
    ['changed by an admin', 'PATCH', '/v1/users/1'],
    ['changed by its owner', 'PATCH', '/v1/me'],
  ] as const) {
    it(`is refused when it is blank or invisible and the account is ${what}`, async () => {
      for (const name of BAD) {
        const email = method === 'POST' ? { email: 'new@example.com' } : {};
        const { errors } = await expectProblem(
          await send(method, path, { ...email, name }),
          422,
          'invalid_input',
        );
        expect((errors as { path: string }[]).map(({ path }) => path)).to.include('name');
      }
      expect(await names()).to.deep.equal(['Admin']);
    });
  }

  it('is refused when it is blank or invisible in an import, line by line', async () => {
    const body = BAD.map((name, n) => JSON.stringify({ email: `n${n}@example.com`, name })).join('\n');
    const response = await app.call('/v1/users/import?partial=true', {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: `${body}\n{"email":"fine@example.com","name":"Anne\u200d-Marie"}\n`,
    });
    expect(await response.json()).to.deep.include({ created: 1, failed: BAD.length });
    expect(await names()).to.deep.equal(['Admin', 'Anne\u200d-Marie']);
  });

  it('is dropped when it is blank or invisible in the token of a first sign-in', async () => {
    for (const [n, name] of BAD.entries()) {
      const headers = { Authorization: `Bearer ${forge({ claims: { email: `s${n}@example.com`, name } })}` };
      expect(await (await app.call('/v1/me', { headers })).json()).to.include({ name: null });
    }
  });
});
