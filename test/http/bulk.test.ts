import { expect } from 'chai';
import type { BulkReport } from '../../src/domain/bulk-report.ts';
import { verifyHistory } from '../../src/services/history/verification.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp } from '../support/app.ts';
import { type ConformingApp, conforming } from '../support/conformance.ts';
import { type Entry, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const PATH = '/v1/users/bulk';

describe('a bulk change', () => {
  let app: ConformingApp;
  let visit: ReturnType<typeof visitor>;

  beforeEach(async () => {
    app = await conforming(await startApp());
    await addAccount(app.database, ADMIN, { role: 'admin' });
    for (const name of ['grace', 'alan', 'kate']) await addAccount(app.database, `${name}@example.com`);
    visit = visitor(app, ADMIN);
  });

  afterEach(() => app.close());

  const bulk = (body: object, query = '') => visit.done<BulkReport>(200, 'POST', PATH + query, body);
  const column = async (name: 'role' | 'status' | 'storage_mode' | 'version') =>
    (await accountsIn(app.database)).map((account) => account[name]);
  const refused = async (body: object, status: number, code: string, query = '') => {
    const before = await accountsIn(app.database);
    await expectProblem(await visit.send('POST', PATH + query, body), status, code);
    expect(await accountsIn(app.database)).to.deep.equal(before);
  };
  const expectWhole = async () => {
    const verified = await unitsOfWork(app.orm)(({ em }) => verifyHistory(em), { readOnly: true });
    expect(verified.findings).to.deep.equal([]);
  };

  it('changes what is not so yet, and reports the rest', async () => {
    await visit.done(200, 'PATCH', '/v1/users/3', { status: 'suspended' });
    const report = await bulk({ ids: [4, 99, 3, 2, 4, 77], status: 'suspended' });
    expect(report).to.deep.include({ changed: 2, unchanged: 1, missing: 2, missingIds: [77, 99] });
    expect(await column('status')).to.deep.equal(['active', 'suspended', 'suspended', 'suspended']);
    expect(await column('version')).to.deep.equal([1, 2, 2, 2]);
    const entries = await visit.history({ requestId: report.requestId as string });
    expect(
      entries.map(({ userId, actor, before, after }) => ({ userId, actor, before, after })),
    ).to.have.deep.members(
      [2, 4].map((userId) => ({
        userId,
        actor: ADMIN,
        before: { status: 'active' },
        after: { status: 'suspended' },
      })),
    );
    expect(await bulk({ ids: [2, 3], role: 'admin' })).to.include({ changed: 2 });
    expect(await bulk({ ids: [2, 3], storageMode: 'account' })).to.include({ changed: 2 });
    expect(await column('role')).to.deep.equal(['admin', 'admin', 'admin', 'user']);
    expect(await column('storage_mode')).to.deep.equal(['local', 'account', 'account', 'local']);
    await expectWhole();
  });

  it('deletes, and is undone as one', async () => {
    const before = (await accountsIn(app.database)).map(({ email }) => email);
    const report = await bulk({ ids: [2, 3, 4], delete: true });
    expect(report).to.deep.include({ changed: 3, unchanged: 0, missing: 0 });
    expect(await accountsIn(app.database)).to.have.length(1);
    const [{ id }] = (await visit.history({ requestId: report.requestId as string })) as [Entry];
    expect(await visit.done(200, 'POST', `/v1/history/${id}/undo-request`)).to.include({ undone: 3 });
    expect((await accountsIn(app.database)).map(({ email }) => email)).to.deep.equal(before);
    await expectWhole();
  });

  it('takes 1,000 accounts, and no more', async () => {
    await app.database.query(
      `insert into users (email) select 'u' || i || '@example.com' from generate_series(1, 1200) as i`,
    );
    const ids = (await accountsIn(app.database)).map(({ id }) => id).filter((id) => id > 4);
    await refused({ ids: ids.slice(0, 1_001), role: 'admin' }, 422, 'invalid_input');
    expect(await bulk({ ids: ids.slice(0, 1_000).reverse(), status: 'suspended' })).to.include({
      changed: 1_000,
    });
    const [{ count }] = (await app.database.query(
      `select count(*)::int as count from changes where after = '{"status":"suspended"}'`,
    )) as [{ count: number }];
    expect(count).to.equal(1_000);
  });

  it('is refused unless it has ids and one change', async () => {
    for (const body of [
      { ids: [] },
      { ids: [2] },
      { ids: [2], role: 'admin', status: 'active' },
      { ids: [2], role: 'owner' },
      { ids: [2], delete: false },
      { ids: [2], name: 'X' },
      { ids: ['2'], role: 'admin' },
      { ids: [2.5], role: 'admin' },
      { ids: [2 ** 31], role: 'admin' },
      { ids: [0], role: 'admin' },
      { role: 'admin' },
      [],
    ])
      await refused(body, 422, 'invalid_input');
  });

  it('always leaves an active admin: then it changes nothing', async () => {
    for (const change of [{ role: 'user' }, { status: 'suspended' }, { delete: true }]) {
      await refused({ ids: [1, 2], ...change }, 409, 'last_admin');
      await refused({ ids: [1, 2], ...change }, 409, 'last_admin', '?dryRun=true');
    }
    await visit.done(200, 'PATCH', '/v1/users/2', { role: 'admin' });
    expect(await bulk({ ids: [1, 3], delete: true })).to.include({ changed: 2 });
    expect(await accountsIn(app.database)).to.have.length(2);
    await expectWhole();
  });

  it('leaves one of two admins who remove each other at the same time', async () => {
    await visit.done(200, 'PATCH', '/v1/users/2', { role: 'admin' });
    const answers = await Promise.all([
      visit.send('POST', PATH, { ids: [2, 3], role: 'user' }),
      visit.send('POST', PATH, { ids: [1, 4], role: 'user' }, 'grace@example.com'),
    ]);
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
    expect((await column('role')).filter((role) => role === 'admin')).to.have.length(1);
  });

  it('shows in a dry run what it would do', async () => {
    const before = await accountsIn(app.database);
    const { changes, ...report } = await visit.done<BulkReport & { changes: Entry[] }>(
      200,
      'POST',
      `${PATH}?dryRun=true`,
      { ids: [1, 2, 9], role: 'admin' },
    );
    expect(report).to.deep.include({ changed: 0, wouldChange: 1, unchanged: 1, missing: 1, missingIds: [9] });
    expect(changes.map(({ userId, after }) => [userId, after])).to.deep.equal([[2, { role: 'admin' }]]);
    expect(await accountsIn(app.database)).to.deep.equal(before);
  });

  it('is for admins, and lets service tokens change no admin', async () => {
    await expectProblem(
      await visit.send('POST', PATH, { ids: [1], role: 'user' }, 'grace@example.com'),
      403,
      'forbidden',
    );
    const { token } = await visit.done<{ token: string }>(201, 'POST', '/v1/service-tokens', {
      name: 'writer',
      scopes: ['users:write'],
      expiresAt: null,
    });
    const asService = (body: object) =>
      app.call(PATH, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const body of [
      { ids: [2, 1], status: 'suspended' },
      { ids: [2], role: 'admin' },
      { ids: [1, 2], delete: true },
    ])
      await expectProblem(await asService(body), 403, 'forbidden');
    expect(await column('version')).to.deep.equal([1, 1, 1, 1]);
    expect((await asService({ ids: [2, 3], status: 'suspended' })).status).to.equal(200);
  });
});
