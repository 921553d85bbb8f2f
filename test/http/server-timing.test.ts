import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { signInToConsole } from '../support/console.ts';

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

  it('counts no more of them for a session of the console than for a token', async () => {
    const { call } = await signInToConsole(app, ADA);
    const descOf = async (path: string, init: RequestInit = {}) => {
      const response = await call(path, init);
      await response.text();
      expect(response.status).to.equal(200);
      return /desc="(.*)"/.exec(response.headers.get('server-timing') ?? '')?.[1];
    };
    expect(await descOf('/v1/me')).to.equal('1 statement');
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const write = { method: 'PATCH', headers, body: '{"theme":"light"}' };
    expect(await descOf('/v1/me/preferences', write)).to.equal('2 statements');
    // What notes the session's use once a minute is no part of a request.
    await app.database.query(`update console_sessions set last_used_at = now() - interval '2 minutes'`);
    expect(await descOf('/v1/me')).to.equal('1 statement');
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
