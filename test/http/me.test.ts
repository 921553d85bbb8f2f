import { expect } from 'chai';
import { accountsIn, addAccount, LONG_AGO } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { forge } from '../support/tokens.ts';

describe('GET /v1/me', () => {
  let app: TestApp;
  let wire: DatabaseProxy;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({ database, through: wire.url });
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const me = (email: string) => app.call('/v1/me', { as: email });

  it('shows every field of my account, and nothing else', async () => {
    const { id } = await addAccount(app.database, 'ada@example.com', {
      name: 'Ada Lovelace',
      role: 'admin',
      preferences: { theme: 'dark', nested: { list: [1, null, 'é'] } },
      storage_mode: 'account',
    });
    const response = await me('ada@example.com');
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
    expect(await response.json()).to.deep.equal({
      id,
      email: 'ada@example.com',
      name: 'Ada Lovelace',
      role: 'admin',
      status: 'active',
      preferences: { theme: 'dark', nested: { list: [1, null, 'é'] } },
      storageMode: 'account',
      version: 1,
      createdAt: LONG_AGO,
      updatedAt: LONG_AGO,
      roleUntil: null,
      lastSeenAt: null,
    });
  });

  it('shows a new account with empty preferences and no name', async () => {
    const { id } = await addAccount(app.database, 'new@example.com');
    expect(await (await me('new@example.com')).json()).to.deep.equal({
      id,
      email: 'new@example.com',
      name: null,
      role: 'user',
      status: 'active',
      preferences: {},
      storageMode: 'local',
      version: 1,
      createdAt: LONG_AGO,
      updatedAt: LONG_AGO,
      roleUntil: null,
      lastSeenAt: null,
    });
  });

  it('shows times in UTC, whatever the time zone of the database', async () => {
    await addAccount(app.database, 'ada@example.com');
    await app.database.query(`alter database "${app.database.name}" set timezone to 'Asia/Kathmandu'`);
    await app.database.query(`update users set created_at = '2024-02-29 23:59:59.123456+05:45'`);
    expect(await (await me('ada@example.com')).json()).to.include({
      createdAt: '2024-02-29T18:14:59.123Z',
      updatedAt: LONG_AGO,
      roleUntil: null,
      lastSeenAt: null,
    });
  });

  it('costs one SQL statement, on a new connection and on a warm one', async () => {
    await addAccount(app.database, 'ada@example.com', { preferences: { theme: 'dark' } });
    for (const connection of ['new', 'warm', 'warm']) {
      wire.reset();
      expect((await me('ada@example.com')).status).to.equal(200);
      expect(wire.statements(), connection).to.equal(1);
    }
  });

  it('changes nothing', async () => {
    await addAccount(app.database, 'ada@example.com', { preferences: { theme: 'dark' } });
    const before = await accountsIn(app.database);
    await me('ada@example.com');
    expect(await accountsIn(app.database)).to.deep.equal(before);
  });

  for (const spelling of ['ADA@Example.COM', ' ada@example.com ']) {
    it(`finds my account when the email in the token is ${JSON.stringify(spelling)}`, async () => {
      await addAccount(app.database, 'ada@example.com');
      const response = await me(spelling);
      expect(response.status).to.equal(200);
      expect(await response.json()).to.include({ email: 'ada@example.com' });
    });
  }

  it('finds no account by a similar email', async () => {
    await addAccount(app.database, 'ada@example.com');
    for (const other of [
      'a%@example.com',
      'ada_example.com',
      'ada@example.com\0',
      'ada\ud800@example.com',
      'аda@example.com',
    ]) {
      expect((await me(other)).status, JSON.stringify(other)).to.equal(403);
    }
  });

  it('takes the role from the account, whatever the token claims', async () => {
    await addAccount(app.database, 'ada@example.com');
    const token = forge({ secret: SECRET, claims: { role: 'admin', roles: ['admin'], id: 1 } });
    const response = await app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } });
    expect(await response.json()).to.include({ role: 'user' });
  });

  it('shows changes of the account at once to the same token', async () => {
    await addAccount(app.database, 'ada@example.com');
    const headers = { Authorization: `Bearer ${forge()}` };
    expect(await (await app.call('/v1/me', { headers })).json()).to.include({ role: 'user' });
    await app.database.query(`update users set role = 'admin'`);
    expect(await (await app.call('/v1/me', { headers })).json()).to.include({ role: 'admin' });
    await app.database.query('delete from users');
    expect((await app.call('/v1/me', { headers })).status).to.equal(403);
  });

  it('keeps working on the same connections while a migration changes columns', async () => {
    await addAccount(app.database, 'ada@example.com');
    for (const change of [
      'add column motto text',
      'drop column motto',
      'alter column role type text',
      'alter column role type varchar(50)',
    ]) {
      await app.database.query(`alter table users ${change}`);
      expect((await me('ada@example.com')).status, change).to.equal(200);
    }
  });

  it('answers HEAD with the same headers and no body', async () => {
    await addAccount(app.database, 'ada@example.com');
    const [get, head] = [
      await me('ada@example.com'),
      await app.call('/v1/me', { as: 'ada@example.com', method: 'HEAD' }),
    ];
    expect(head.status).to.equal(200);
    expect(await head.text()).to.equal('');
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      expect(head.headers.get(name), name).to.equal(get.headers.get(name));
    }
  });
});
