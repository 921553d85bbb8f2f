import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

const ADA = 'ada@example.com';

describe('Server-Timing', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({ environment: 'development' });
    await addAccount(app.database, ADA, { role: 'admin' });
    // Connected and prepared.
    await app.call('/v1/me', { as: ADA });
  });

  after(() => app.close());

  const timingOf = async (path: string, options: Parameters<TestApp['call']>[1] = { as: ADA }) => {
    const response = await app.call(path, options);
    await response.text();
    const header = response.headers.get('server-timing') ?? '';
    const [, db, desc, total] = /^db;dur=([\d.]+);desc="(.*)", total;dur=([\d.]+)$/.exec(header) ?? [];
    return { status: response.status, header, db: Number(db), desc, total: Number(total) };
  };

  it('has the time and number of statements, and the time in all, in development', async () => {
    const { status, db, desc, total } = await timingOf('/v1/me');
    expect([status, desc]).to.deep.equal([200, '1 statement']);
    expect(db).to.be.above(0);
    expect(total).to.be.at.least(db);
  });

  it('counts those of reads and writes', async () => {
    const write = await timingOf('/v1/me/preferences', {
      as: ADA,
      method: 'PATCH',
      headers: { 'Content-Type': 'application/merge-patch+json' },
      body: '{"theme":"dark"}',
    });
    expect([write.status, write.desc]).to.deep.equal([200, '2 statements']);
    expect(await timingOf('/healthz', {})).to.include({ status: 200, desc: '0 statements', db: 0 });
    expect(await timingOf('/v1/me', {})).to.include({ status: 401, desc: '0 statements' });
  });

  it('is on a stream, too, whose head is sent before its end', async () => {
    const { status, desc } = await timingOf('/v1/users/export');
    expect(status).to.equal(200);
    expect(desc).to.match(/^[1-9] statements?$/);
  });

  it('is kept apart for requests that run at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => timingOf('/v1/history', { as: ADA })));
    for (const { status, desc } of all) {
      expect(status).to.equal(200);
      expect(desc).to.match(/^[0-2] statements?$/);
    }
  });

  it('is no part of an answer anywhere else', async () => {
    const other = await startApp({ database: app.database, environment: 'production' });
    const response = await other.call('/v1/me', { as: ADA });
    expect(response.status).to.equal(200);
    expect(response.headers.has('server-timing')).to.equal(false);
    await other.stop();
  });
});
