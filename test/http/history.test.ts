import { expect } from 'chai';
import { addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { type Entry, type HistoryPage, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';

describe('the history', () => {
  let app: TestApp;
  let wire: DatabaseProxy;
  let visit: ReturnType<typeof visitor>;
  let adaId: number;
  let graceId: number;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({ database, through: wire.url });
    adaId = (await addAccount(database, ADMIN, { role: 'admin' })).id;
    graceId = (await addAccount(database, GRACE, { preferences: { theme: 'light' } })).id;
    visit = visitor(app, ADMIN);
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const refused = async (path: string, code: string) =>
    expectProblem(await visit.send('GET', path), 400, code);

  it('shows who changed what, when and in which request, newest first', async () => {
    const { updatedAt } = await visit.done(200, 'PATCH', '/v1/me', { preferences: { theme: 'dark' } }, GRACE);
    const response = await visit.send('PATCH', `/v1/users/${graceId}`, { name: 'Grace', role: 'admin' });
    const requestId = response.headers.get('x-request-id');
    const promoted = (await response.json()) as { updatedAt: string };
    const entries = await visit.history({}, `/v1/users/${graceId}/history`);
    expect(entries.map(({ version }) => version)).to.deep.equal([3, 2, 1]);
    const [second, first, creation] = entries;
    expect(second).to.deep.equal({
      id: second?.id,
      at: promoted.updatedAt,
      actorId: adaId,
      actor: ADMIN,
      requestId,
      userId: graceId,
      action: 'updated',
      before: { name: null, role: 'user' },
      after: { name: 'Grace', role: 'admin' },
      version: 3,
      undoes: null,
      reason: null,
      erasedAt: null,
    });
    expect(first).to.deep.include({
      at: updatedAt,
      actorId: graceId,
      actor: GRACE,
      before: { preferences: { theme: 'light' } },
      after: { preferences: { theme: 'dark' } },
    });
    expect(creation).to.deep.include({ at: LONG_AGO, action: 'created', before: null, version: 1 });
    expect(await visit.history({ userId: `${graceId}` })).to.deep.equal(entries);
    expect(await visit.history({}, '/v1/me/history', GRACE)).to.deep.equal(entries);
    expect(await visit.history({}, '/v1/me/history')).to.have.length(1);
    expect(await visit.history({ limit: '2' })).to.deep.equal([second, first]);
  });

  it('of an account outlives it, and of an unknown account is 404', async () => {
    await visit.done(204, 'DELETE', `/v1/users/${graceId}`);
    const [deletion] = await visit.history({}, `/v1/users/${graceId}/history`);
    expect(deletion).to.deep.include({ action: 'deleted', after: null, version: 2 });
    expect(deletion?.before).to.deep.include({ email: GRACE, createdAt: LONG_AGO });
    for (const id of ['999', '0', '2147483648', 'x']) {
      await expectProblem(await visit.send('GET', `/v1/users/${id}/history`), 404, 'not_found');
    }
    // An account that was inserted into the database by hand.
    await app.database.query(`insert into users (id, email) values (999, 'hand@example.com')`);
    expect(await visit.history({}, '/v1/users/999/history')).to.deep.equal([]);
  });

  it('is for admins, except for one’s own', async () => {
    for (const [method, path] of [
      ['GET', '/v1/history'],
      ['GET', `/v1/users/${graceId}/history`],
      ['GET', `/v1/users/${graceId}?at=${LONG_AGO}`],
      ['POST', '/v1/history/1/undo'],
    ] as const) {
      await expectProblem(await visit.send(method, path, undefined, GRACE), 403, 'forbidden');
      await expectProblem(await app.call(path, { method }), 401, 'unauthenticated');
    }
    await expectProblem(await app.call('/v1/me/history'), 401, 'unauthenticated');
  });

  it('is part of one’s data export, oldest first; the export fails without it', async () => {
    await visit.done(200, 'PATCH', '/v1/me', { name: 'Grace' }, GRACE);
    const download = await visit.done<{ history: Entry[] }>(200, 'GET', '/v1/me/export', undefined, GRACE);
    const history = await visit.history({}, '/v1/me/history', GRACE);
    expect(download).to.deep.equal({
      account: await visit.done(200, 'GET', '/v1/me', undefined, GRACE),
      identities: [],
      sessions: [],
      history: history.reverse(),
    });
    await app.database.query('alter table changes rename to gone');
    await expectProblem(await app.call('/v1/me/export', { as: GRACE }), 500, 'internal');
  });

  it('costs one query besides authentication', async () => {
    await visit.history();
    for (const path of [
      '/v1/history',
      '/v1/history?field=role',
      `/v1/users/${graceId}/history`,
      '/v1/me/history',
      `/v1/users/${graceId}?at=${LONG_AGO}`,
    ]) {
      wire.reset();
      await visit.done(200, 'GET', path);
      expect(wire.statements(), path).to.equal(2);
    }
    // One more each for the identities and for the sessions of the console.
    wire.reset();
    await visit.done(200, 'GET', '/v1/me/export');
    expect(wire.statements()).to.equal(4);
  });

  describe('of many changes', () => {
    let all: Entry[];

    beforeEach(async () => {
      // Three share each microsecond, and the times cross the end of a millisecond.
      await app.database.query(`
        with given as (
          select i, (array['created', 'updated', 'updated', 'updated', 'deleted'])[1 + i % 5] as action from generate_series(1, 400) i
        ), written as (
          insert into changes (at, actor, user_id, action, before, after, fields, version)
          select timestamptz '2024-01-01 00:00:00.0005Z' + (i / 3) * interval '11 microseconds',
                 (array['boot', 'cli', '${GRACE}'])[1 + i % 3], 1000 + i % 7, action, '{}', '{}',
                 case action when 'updated' then
                   (array['{role}', '{preferences,preferences.theme}', '{name,email}', '{preferences,preferences.a,preferences.a.b}'])[1 + i % 4]
                 else '{email,name,role,status,storageMode,preferences,preferences.theme}' end::text[], i
            from given
          returning id, at, action, fields
        )
        insert into change_fields (field, action, at, change_id)
        select field, action, at, id from written cross join unnest(fields) as field
         where action = 'updated' or field like 'preferences.%'`);
      all = await walk('limit=200');
      expect(all).to.have.length(402);
    });

    /** Follows the links to all pages and returns their entries. */
    const walk = async (query: string): Promise<Entry[]> => {
      const items: Entry[] = [];
      let path: string | undefined = `/v1/history?${query}`;
      for (let pages = 0; path !== undefined && pages < 100; pages++) {
        const response: Response = await visit.send('GET', path);
        const page = (await response.json()) as HistoryPage;
        expect(response.status, JSON.stringify(page)).to.equal(200);
        items.push(...page.items);
        path = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
        expect(path === undefined).to.equal(page.nextCursor === null);
      }
      return items;
    };

    it('is ordered by time, and loses nothing at page boundaries', async () => {
      const rows = await app.database.query<{ id: string }>(
        'select id from changes order by at desc, id desc',
      );
      const walked = await walk('limit=7');
      expect(walked.map(({ id }) => `${id}`)).to.deep.equal(rows.map(({ id }) => id));
    });

    for (const [query, fits] of Object.entries<(entry: Entry, fields: string[]) => boolean>({
      'actor=cli': ({ actor }) => actor === 'cli',
      'actor=GRACE@Example.com': ({ actor }) => actor === GRACE,
      'actor=CLI': () => false,
      'userId=1003': ({ userId }) => userId === 1003,
      'userId=1003&actor=boot&action=updated': ({ userId, actor, action }) =>
        userId === 1003 && actor === 'boot' && action === 'updated',
      'userId=1003&field=preferences.a': ({ userId }, fields) =>
        userId === 1003 && fields.includes('preferences.a'),
      'action=deleted': ({ action }) => action === 'deleted',
      'field=role': (_, fields) => fields.includes('role'),
      'field=preferences.theme': (_, fields) => fields.includes('preferences.theme'),
      'field=preferences.a.b': (_, fields) => fields.includes('preferences.a.b'),
      'field=preferences.b': () => false,
      'field=email&action=updated': ({ action }, fields) => action === 'updated' && fields.includes('email'),
      'field=email&action=created': ({ action }) => action === 'created',
      'field=preferences.theme&action=deleted': ({ action }) => action === 'deleted',
      'field=preferences&actor=boot': ({ actor }, fields) =>
        actor === 'boot' && fields.includes('preferences'),
      'field=preferences.theme&actor=cli&action=updated': ({ actor, action }, fields) =>
        actor === 'cli' && action === 'updated' && fields.includes('preferences.theme'),
      'since=2024-01-01T00:00:00.001Z': ({ at }) => at >= '2024-01-01T00:00:00.001Z',
      'until=2024-01-01T01:00:00.001%2B01:00': ({ at }) => at < '2024-01-01T00:00:00.001Z',
      'field=role&since=2024-01-01T00:00:00.001Z&until=2024-01-01T00:00:00.001Z': () => false,
      'field=role&since=2024-01-01T00:00:00Z&until=2024-01-01T00:00:00.001Z': ({ at }, fields) =>
        at.startsWith('2024') && at < '2024-01-01T00:00:00.001Z' && fields.includes('role'),
    })) {
      it(`is filtered on every page: ${query}`, async () => {
        const rows = await app.database.query<{ id: string; fields: string[] }>(
          'select id, fields from changes',
        );
        const fields = new Map(rows.map((row) => [Number(row.id), row.fields]));
        const expected = all.filter((entry) => fits(entry, fields.get(entry.id) ?? []));
        expect(await walk(`${query}&limit=9`)).to.deep.equal(expected);
        expect(await walk(query)).to.deep.equal(expected);
      });
    }

    it('accepts a cursor for the same list only, with any limit', async () => {
      const cursorOf = async (query: string) =>
        (await visit.done<HistoryPage>(200, 'GET', `/v1/history?${query}`)).nextCursor;
      const cursor = await cursorOf('limit=2&field=role&action=updated');
      expect(
        await visit.history({ limit: '3', field: 'role', action: 'updated', cursor: `${cursor}` }),
      ).to.have.length(3);
      for (const other of ['', 'field=role', 'field=name&action=updated', 'action=updated', 'userId=1003']) {
        await refused(`/v1/history?${other}&cursor=${cursor}`, 'bad_cursor');
      }
      await refused(`/v1/users?cursor=${cursor}`, 'bad_cursor');
      await refused(`/v1/me/history?cursor=${cursor}`, 'bad_cursor');
      await refused('/v1/history?cursor=', 'bad_cursor');
    });
  });

  for (const [parameter, values] of Object.entries({
    limit: ['0', '201', '-1', '1.5', ''],
    actor: ['', 'a\0b', 'a'.repeat(256)],
    userId: ['', '-1', '1.5', '2147483648', 'x', '٣', '1e3'],
    action: ['', 'Created', 'undone', 'created,updated'],
    field: ['', 'rle', 'preferences.', 'version', 'createdAt', 'fields', 'role ', 'preferences.a\0'],
    since: [
      '',
      'now',
      '2026-01-31',
      '2026-01-31T12:00:00',
      '2026-02-30T12:00:00Z',
      '2026-01-31T25:00:00Z',
      '2026-01-31T12:00:00+01:00',
      '1',
      'infinity',
      '2026-01-31T12:00Z',
    ],
    until: ['', 'yesterday', '2026-13-01T00:00:00Z'],
    total: ['true'],
    at: [LONG_AGO],
  })) {
    it(`refuses invalid parameters: ${parameter}`, async () => {
      for (const value of values) {
        // Sent as it is: an unencoded plus sign in a query is a space.
        const given = value.includes('+') ? value : encodeURIComponent(value);
        const problem = await refused(`/v1/history?${parameter}=${given}`, 'invalid_query');
        expect((problem['errors'] as { path: string }[])[0]?.path, value).to.equal(parameter);
      }
    });
  }

  it('accepts the first and the last time of ISO 8601', async () => {
    for (const time of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999999-23:59']) {
      for (const parameter of ['since', 'until']) {
        await visit.history({ [parameter]: time });
      }
    }
  });
});
