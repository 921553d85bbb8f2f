import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp } from '../support/app.ts';
import { type ConformingApp, conforming } from '../support/conformance.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const ADA = 'ada@example.com';
const BOSS = 'boss@example.com';

describe('an account in INITIAL_ADMINS', () => {
  let app: ConformingApp;

  beforeEach(async () => {
    app = await conforming(await startApp({ initialAdmins: [ADA, 'missing@example.com'] }));
    await addAccount(app.database, BOSS, { role: 'admin' });
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, 'grace@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const send = async (method: string, path: string, body?: object, as = BOSS) => {
    const response = await app.call(path, {
      as,
      method,
      ...(body && { headers: JSON_TYPE, body: JSON.stringify(body) }),
    });
    expect(response.status, await response.clone().text()).to.be.below(300);
    return response.headers.get('rollcall-warning');
  };

  for (const [what, method, path, body, as] of [
    ['is demoted', 'PATCH', '/v1/users/2', { role: 'user' }],
    ['is suspended', 'PATCH', '/v1/users/2', { status: 'suspended' }],
    ['gets another email', 'PATCH', '/v1/users/2', { email: 'new@example.com' }],
    ['is deleted', 'DELETE', '/v1/users/2'],
    ['deletes itself', 'DELETE', '/v1/me', undefined, ADA],
  ] as [string, string, string, object?, string?][]) {
    it(`is announced to come back when it ${what}`, async () => {
      expect(await send(method, path, body, as)).to.match(/^INITIAL_ADMINS names this account/);
    });
  }

  it('is announced to come back when an undo or an import takes it away', async () => {
    expect(await send('PATCH', '/v1/users/2', { role: 'user' })).to.be.a('string');
    expect(await send('PATCH', '/v1/users/2', { role: 'admin' })).to.equal(null);
    const [entry] = await app.database.query('select id from changes order by id desc limit 1');
    expect(await send('POST', `/v1/history/${entry?.['id']}/undo`)).to.be.a('string');
    await send('PATCH', '/v1/users/2', { role: 'admin' });
    const imported = await app.call('/v1/users/import?mode=upsert', {
      as: BOSS,
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: `{"email":"${ADA}","role":"user"}\n`,
    });
    expect(await imported.json()).to.include({ updated: 1 });
    expect(imported.headers.get('rollcall-warning')).to.be.a('string');
  });

  it('is not mentioned when another admin is changed, or when it stays an admin', async () => {
    await send('PATCH', '/v1/users/2', { role: 'user' });
    expect(await send('PATCH', '/v1/users/3', { role: 'user' })).to.equal(null);
    expect(await send('PATCH', '/v1/users/2', { role: 'admin' })).to.equal(null);
    expect(await send('PATCH', '/v1/users/2', { name: 'Ada' })).to.equal(null);
    expect(await send('PATCH', '/v1/users/2?dryRun=true', { role: 'user' })).to.equal(null);
  });
});
