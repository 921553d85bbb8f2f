import { expect } from 'chai';
import { eraseDue } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { visitor } from '../support/history.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';

/** Preferences of 14 KiB with this value under every name. */
const wide = (value: number) => ({
  ...Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, value])),
  theme: `t${value}`,
  editor: { 'a.b': value, tabs: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`t${n}`, value])) },
});

describe('a change of a thousand paths', () => {
  let app: TestApp;
  let visit: ReturnType<typeof visitor>;
  let graceId: number;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    visit = visitor(app, ADMIN);
    graceId = (
      await visit.done<{ id: number }>(201, 'POST', '/v1/users', { email: GRACE, preferences: wide(1) })
    ).id;
    await visit.done(200, 'PUT', '/v1/me/preferences', wide(2), GRACE);
    await visit.done(200, 'PATCH', '/v1/me/preferences', { editor: { 'a.b': 3 } }, GRACE);
    await visit.done(204, 'DELETE', `/v1/users/${graceId}`);
  });

  afterEach(() => app.close());

  const versionsBy = async (query: Record<string, string>) =>
    (await visit.history(query)).map(({ version }) => version);

  it('takes at most 64 rows of the index, and its record is whole', async () => {
    const rows = await app.database.query<{ count: number }>(
      'select count(*)::int as count from change_fields group by change_id',
    );
    for (const { count } of rows) expect(count).to.be.at.most(64);
    const [deleted, small, updated, created] = await visit.history({ userId: `${graceId}` });
    expect(created?.after?.['preferences']).to.deep.equal(wide(1));
    expect([updated?.before, updated?.after]).to.deep.equal([
      { preferences: wide(1) },
      { preferences: wide(2) },
    ]);
    expect(small?.after).to.deep.equal({ preferences: { editor: { 'a.b': 3 } } });
    expect(deleted?.before?.['preferences']).to.deep.equal({
      ...wide(2),
      editor: { ...wide(2).editor, 'a.b': 3 },
    });
  });

  it('is found by each of its paths, once, and not by others', async () => {
    for (const path of ['k0', 'k999', 'theme', 'editor.tabs', 'editor.tabs.t99']) {
      expect(await versionsBy({ field: `preferences.${path}` }), path).to.deep.equal([4, 2, 1]);
    }
    for (const path of ['editor', 'editor.a.b']) {
      expect(await versionsBy({ field: `preferences.${path}` }), path).to.deep.equal([4, 3, 2, 1]);
    }
    for (const path of ['k1000', 'k0.x', 'editor.tabs.t99.x', 'editor.a', 'editor.tabs.', '*']) {
      expect(await versionsBy({ field: `preferences.${path}` }), path).to.deep.equal([]);
    }
    const field = 'preferences.k7';
    expect(await versionsBy({ field, action: 'updated' })).to.deep.equal([2]);
    expect(await versionsBy({ field, actor: GRACE })).to.deep.equal([2]);
    expect(await versionsBy({ field, userId: `${graceId}`, limit: '2' })).to.deep.equal([4, 2]);
    expect(await versionsBy({ field: 'preferences', action: 'updated' })).to.deep.equal([3, 2]);
    expect((await visit.send('GET', '/v1/history?field=*preferences')).status).to.equal(400);
  });

  it('is found page by page', async () => {
    const found: number[] = [];
    let path = '/v1/history?field=preferences.k5&limit=1';
    for (let pages = 0; path !== '' && pages < 10; pages++) {
      const response = await visit.send('GET', path);
      const { items } = (await response.json()) as { items: { version: number }[] };
      found.push(...items.map(({ version }) => version));
      path = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
    }
    expect(found).to.deep.equal([4, 2, 1]);
  });

  it('is undone and shown as of a moment in whole', async () => {
    const [deleted, small, updated] = await visit.history({ userId: `${graceId}` });
    await visit.done(200, 'POST', `/v1/history/${deleted?.id}/undo`);
    await visit.done(200, 'POST', `/v1/history/${small?.id}/undo`);
    await visit.done(200, 'POST', `/v1/history/${updated?.id}/undo`);
    expect(await visit.done(200, 'GET', '/v1/me/preferences', undefined, GRACE)).to.deep.equal(wide(1));
    const then = await visit.done(
      200,
      'GET',
      `/v1/users/${graceId}?at=${encodeURIComponent(`${updated?.at}`)}`,
    );
    expect(then['preferences']).to.deep.equal(wide(2));
  });

  it('leaves no name in the index once it is erased', async () => {
    await app.database.query(`update changes set at = at - interval '40 days'`);
    await app.database.query(`update change_fields set at = at - interval '40 days'`);
    const none = new AbortController().signal;
    expect(await eraseDue(unitsOfWork(app.orm), 30, none)).to.equal(1);
    expect(
      await app.database.query('select field, action from change_fields order by change_id, field'),
    ).to.deep.equal([
      { field: 'preferences', action: 'updated' },
      { field: 'preferences', action: 'updated' },
    ]);
    expect(await versionsBy({ field: 'preferences.k5' })).to.deep.equal([]);
  });
});
