import { expect } from 'chai';
import type { ImportReport } from '../../src/domain/import-report.ts';
import { verifyHistory } from '../../src/services/history/verification.ts';
import { accountsIn, addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type Entry, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const SIGNED_UP = '2015-06-07T08:09:10.123Z';

describe('the time of the sign-up in an import', () => {
  let app: TestApp;
  let visit: ReturnType<typeof visitor>;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    visit = visitor(app, ADMIN);
  });

  afterEach(() => app.close());

  const send = async (body: string, query = '', type = 'text/csv') => {
    const response = await app.call(`/v1/users/import${query}`, {
      as: ADMIN,
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    });
    const report = (await response.json()) as ImportReport;
    expect(response.status, JSON.stringify(report)).to.equal(200);
    return report;
  };
  const createdAts = async () =>
    (await accountsIn(app.database)).slice(1).map(({ created_at }) => created_at.toISOString());

  it('is kept for a new account, and its history begins with the import all the same', async () => {
    const start = Date.now();
    await send(`email,createdAt\ngrace@example.com,${SIGNED_UP}\n`);
    const account = await visit.done<{ id: number; createdAt: string; updatedAt: string }>(
      200,
      'GET',
      '/v1/users/2',
    );
    expect(account.createdAt).to.equal(SIGNED_UP);
    expect(Date.parse(account.updatedAt)).to.be.at.least(start - 1_000);
    const at = (time: string | number) =>
      visit.send('GET', `/v1/users/2?at=${encodeURIComponent(new Date(time).toISOString())}`);
    expect(await (await at(account.updatedAt)).json()).to.deep.equal(account);
    // It was not here yet, and nothing claims that it was.
    await expectProblem(await at(SIGNED_UP), 404, 'not_found');
    await expectProblem(await at(Date.parse(account.updatedAt) - 1), 404, 'not_found');
    const [created] = (await visit.history({}, '/v1/users/2/history')) as [Entry];
    expect(created).to.include({ action: 'created', at: account.updatedAt });
    expect(created.after).to.include({ createdAt: SIGNED_UP });
    expect(await verifyHistory(app.orm.em.fork())).to.include({ accounts: 2, wrong: 0 });
  });

  it('stays through a deletion that is undone, and an import that is undone', async () => {
    await send(`email,createdAt\ngrace@example.com,${SIGNED_UP}\n`);
    await visit.done(204, 'DELETE', '/v1/users/2');
    const [deletion] = (await visit.history({}, '/v1/users/2/history')) as [Entry];
    await visit.done(200, 'POST', `/v1/history/${deletion.id}/undo`);
    expect(await createdAts()).to.deep.equal([SIGNED_UP]);
    await send(`email,createdAt\nalan@example.com,${SIGNED_UP}\n`);
    const [creation] = (await visit.history()) as [Entry];
    const removed = await visit.done<Entry>(200, 'POST', `/v1/history/${creation.id}/undo`);
    await visit.done(200, 'POST', `/v1/history/${removed.id}/undo`);
    expect(await createdAts()).to.deep.equal([SIGNED_UP, SIGNED_UP]);
    expect(await verifyHistory(app.orm.em.fork())).to.include({ accounts: 3, wrong: 0 });
  });

  it('is ignored for an account that exists', async () => {
    await addAccount(app.database, 'grace@example.com');
    const file = `email,name,createdAt\ngrace@example.com,,${SIGNED_UP}\n`;
    expect(await send(file, '?mode=upsert')).to.include({ unchanged: 1 });
    expect(await send(file.replace(',,', ',Grace,'), '?mode=upsert')).to.include({ updated: 1 });
    expect(await createdAts()).to.deep.equal([LONG_AGO]);
  });

  it('is read as programs write it, and as null or an empty cell where it is unknown', async () => {
    const times: [written: string, stored: string][] = [
      ['2015-06-07T08:09:10.123Z', SIGNED_UP],
      ['2015-06-07T08:09:10.123456789Z', SIGNED_UP],
      ['2015-06-07 08:09:10.123+00', SIGNED_UP],
      ['2015-06-07 10:09:10.123 +02:00', SIGNED_UP],
      ['2015-06-07T13:54:10.123+0545', SIGNED_UP],
      ['2015-06-07 08:09Z', '2015-06-07T08:09:00.000Z'],
      ['2015-06-07', '2015-06-07T00:00:00.000Z'],
      ['1970-01-01', '1970-01-01T00:00:00.000Z'],
    ];
    const rows = times.map(([written], at) => `p${at}@example.com,${written}\n`);
    await send(`email,Created At\n${rows.join('')}`);
    expect(await createdAts()).to.deep.equal(times.map(([, stored]) => stored));
    const start = Date.now();
    await send('email,createdAt\nx@example.com,\ny@example.com,\\N\n');
    await send('{"email":"z@example.com","createdAt":null}\n', '', 'application/x-ndjson');
    for (const time of (await createdAts()).slice(-3)) expect(Date.parse(time)).to.be.at.least(start - 1_000);
    expect(await verifyHistory(app.orm.em.fork())).to.include({ wrong: 0 });
  });

  it('is refused in the future, before 1970, and where it is no time', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const bounds = 'Must not be in the future, nor before 1970.';
    const shape = 'Must be a time with its offset, such as 2026-01-31T12:00:00Z, or a date.';
    const times: [written: string, reason: string][] = [
      [tomorrow, bounds],
      ['9999-12-31T23:59:59Z', bounds],
      ['1969-12-31T23:59:59.999Z', bounds],
      ['1900-01-01', bounds],
      ['0000-00-00', shape],
      ['2025-02-30', shape],
      ['2025-01-31T12:00:00', shape],
      ['31.01.2025', shape],
      ['1/31/2025 1:25:31 PM', shape],
      ['45688.5', shape],
      ['yesterday', shape],
    ];
    const rows = times.map(([written], at) => `p${at}@example.com,${written}\n`);
    for (const mode of ['create', 'upsert']) {
      const report = await send(`email,createdAt\n${rows.join('')}`, `?mode=${mode}&partial=true`);
      expect(report).to.include({ created: 0, failed: times.length });
      expect(report.failures).to.deep.equal(
        times.map(([, reason], at) => ({ line: at + 2, path: 'createdAt', reason })),
      );
    }
    const number = await app.call('/v1/users/import?partial=true', {
      as: ADMIN,
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: '{"email":"a@example.com","createdAt":1433664550123}\n',
    });
    expect(((await number.json()) as ImportReport).failures[0]).to.include({ path: 'createdAt' });
    expect(await createdAts()).to.deep.equal([]);
  });
});
