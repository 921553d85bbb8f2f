import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { AccountView } from '../../src/services/accounts/view.ts';
import { addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

interface AccountPage {
  readonly items: AccountView[];
  readonly nextCursor: string | null;
  readonly total?: { readonly count: number; readonly capped: boolean };
}

const ADMIN = 'root@example.com';
const ADA = 'ada@example.com';

/** Longer than sightings are gathered. */
const A_WHILE_MS = 1_500;

describe('when accounts were last seen', () => {
  let app: TestApp;
  let wire: DatabaseProxy;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({ database, through: wire.url, sightingsMs: 1_000 });
    await addAccount(database, ADMIN, { role: 'admin' });
    await addAccount(database, ADA);
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  /** Starts the service again, with a while in which all requests of the test have their time. */
  const restart = async (sightingsMs: number) => {
    await app.stop();
    app = await startApp({ database: app.database, through: wire.url, sightingsMs });
  };
  const get = async <Body = AccountView>(path: string, as = ADMIN) => {
    const response = await app.call(path, { as });
    expect(response.status).to.equal(200);
    return (await response.json()) as Body;
  };
  const seenAt = async (email: string, { database } = app) => {
    const [row] = await database.query<{ at: string | null }>(
      `select nullif(last_seen_at, '-infinity')::text as at from sightings join users on user_id = id where email = $1`,
      [email],
    );
    return row?.at ?? null;
  };
  const seen = (email: string) => until(`${email} was seen`, () => seenAt(email));
  const setSeen = (email: string, at: string) =>
    app.database.query(
      `update sightings set last_seen_at = ${at} from users where user_id = users.id and email = $1`,
      [email],
    );

  it('are noted behind the request, shown, and no change of the account', async () => {
    const before = await get('/v1/me', ADA);
    expect(before.lastSeenAt).to.equal(null);
    await seen(ADA);
    const after = await get('/v1/me', ADA);
    expect(Date.now() - Date.parse(String(after.lastSeenAt))).to.be.within(0, 60_000);
    expect({ ...after, lastSeenAt: null }).to.deep.equal(before);
    expect(after.updatedAt).to.equal(LONG_AGO);
    const shown = await get(`/v1/users/${after.id}`);
    expect(shown.lastSeenAt).to.equal(after.lastSeenAt);
    expect((await get<{ account: AccountView }>('/v1/me/export', ADA)).account.lastSeenAt).to.equal(
      after.lastSeenAt,
    );
    const list = await get<AccountPage>(`/v1/users?email=${ADA}`);
    expect(list.items).to.deep.equal([after]);
    const changed = await app.call('/v1/me', {
      method: 'PATCH',
      as: ADA,
      headers: { 'Content-Type': 'application/json' },
      body: '{"name":"Ada"}',
    });
    expect(await changed.json()).to.include({ lastSeenAt: after.lastSeenAt, version: 2 });
    expect((await get<{ items: unknown[] }>('/v1/me/history', ADA)).items).to.have.length(2);
    const past = await get(`/v1/users/${after.id}?at=2021-01-01T00:00:00Z`);
    expect(past).to.include({ version: 1, lastSeenAt: null });
  });

  it('are written again after an hour, and not before', async () => {
    await get('/v1/me', ADA);
    const first = await seen(ADA);
    await get('/v1/me', ADA);
    await delay(A_WHILE_MS);
    expect(await seenAt(ADA)).to.equal(first);
    await setSeen(ADA, `now() - interval '61 minutes'`);
    await get('/v1/me', ADA);
    await until('ada was seen again', async () => String(await seenAt(ADA)) > first);
  });

  it('take one statement for all of a while, and no request waits for it', async () => {
    await restart(5_000);
    await app.database.query(
      `insert into users (email) select 'p' || i || '@example.com' from generate_series(1, 30) i`,
    );
    await Promise.all(
      Array.from({ length: 30 }, async (_, i) =>
        (await app.call('/v1/me', { as: `p${i + 1}@example.com` })).text(),
      ),
    );
    wire.reset();
    await until('all were seen', async () => {
      const [row] = await app.database.query<{ count: number }>(
        `select count(*)::int as count from sightings where last_seen_at > '-infinity'`,
      );
      return row?.count === 30;
    });
    expect(wire.statements()).to.equal(1);
  });

  it('wait for no lock, and do not come back for an account that is erased meanwhile', async () => {
    const holder = await app.database.connect();
    await holder.query(
      `begin; select from sightings join users on user_id = id where email = '${ADA}' for update of sightings`,
    );
    await get('/v1/me', ADA);
    await get('/v1/me', ADMIN);
    await seen(ADMIN);
    expect(await seenAt(ADA)).to.equal(null);
    await holder.query('commit');
    await get('/v1/me', ADA);
    await seen(ADA);
    await setSeen(ADA, `now() - interval '2 hours'`);
    await get('/v1/me', ADA);
    await app.database.query('delete from sightings');
    await delay(A_WHILE_MS);
    expect(await app.database.query('select from sightings')).to.deep.equal([]);
  });

  it('are forgotten with the account, and begin anew when it is restored', async () => {
    const { id } = await get('/v1/me', ADA);
    await seen(ADA);
    const remove = await app.call(`/v1/users/${id}`, { method: 'DELETE', as: ADMIN });
    expect(remove.status).to.equal(204);
    expect(await app.database.query('select from sightings where user_id = $1', [id])).to.deep.equal([]);
    const { items } = await get<{ items: { id: number }[] }>('/v1/history?action=deleted');
    const undo = await app.call(`/v1/history/${items[0]?.id}/undo`, { method: 'POST', as: ADMIN });
    expect(undo.status).to.equal(200);
    expect((await get(`/v1/users/${id}`)).lastSeenAt).to.equal(null);
    await get('/v1/me', ADA);
    await seen(ADA);
  });

  it('come back with a restore of data alone, which writes them before the accounts', async () => {
    await get('/v1/me', ADA);
    await seen(ADA);
    await setSeen(ADA, `'2026-01-02 03:04:05+00'`);
    // As pg_dump does it with these two: in the order of their names, and an empty search path.
    const tables = ['sightings', 'users'];
    const dump = await Promise.all(
      tables.map(async (table) => {
        const rows = await app.database.query(`select to_jsonb(${table}) as row from ${table}`);
        return [table, JSON.stringify(rows.map(({ row }) => row))] as const;
      }),
    );
    const other = await createMigratedDatabase();
    const session = await other.connect();
    await session.query(`begin; select set_config('search_path', '', false)`);
    for (const [table, rows] of dump) {
      await session.query(
        `insert into public.${table} select * from jsonb_populate_recordset(null::public.${table}, $1)`,
        [rows],
      );
    }
    await session.query('commit');
    const state = 'select user_id, last_seen_at, since from sightings order by user_id';
    expect(await other.query(state)).to.deep.equal(await app.database.query(state));
    // Nobody has the sighting of an account that is gone.
    await other.query('truncate users restart identity cascade');
    expect(await other.query(state)).to.deep.equal([]);
    await other.drop();
  });

  it('are none where the sign-in is refused', async () => {
    await app.database.query(`update users set status = 'suspended' where email = $1`, [ADA]);
    await expectProblem(await app.call('/v1/me', { as: ADA }), 403, 'account_suspended');
    await get('/v1/me', ADMIN);
    await seen(ADMIN);
    expect(await seenAt(ADA)).to.equal(null);
  });

  it('are kept while the database is gone, written afterwards, and logged once', async () => {
    await get('/v1/me', ADA);
    await wire.cut();
    const lines = () =>
      app.log.filter(({ msg }) => String(msg).startsWith('sightings of accounts not written'));
    await until('the failure is logged', () => lines().length > 0);
    await wire.mend();
    await seen(ADA);
    expect(lines()).to.have.length(1);
  });

  it('are written by the process that ends', async () => {
    await restart(60_000);
    await get('/v1/me', ADA);
    expect(await seenAt(ADA)).to.equal(null);
    await app.stop();
    expect(await seenAt(ADA)).not.to.equal(null);
    app = await startApp({ database: app.database, through: wire.url });
  });

  it('filter and sort the list; accounts never seen are seen before any time', async () => {
    for (const [email, at] of [
      ['b@corp.example', '2026-01-01'],
      ['c@corp.example', '2026-03-01'],
      ['d@corp.example', '2026-02-01'],
    ] as const) {
      await addAccount(app.database, email);
      await setSeen(email, `timestamptz '${at}'`);
    }
    await addAccount(app.database, 'never@corp.example');
    const emails = async (query: string) => {
      const { items } = await get<AccountPage>(`/v1/users?domain=CORP.example&${query}`);
      return items.map(({ email }) => email[0]).join('');
    };
    expect(await emails('sort=lastSeenAt')).to.equal('nbdc');
    expect(await emails('sort=-lastSeenAt')).to.equal('cdbn');
    expect(await emails('sort=email&seenSince=2026-02-01T00:00:00Z')).to.equal('cd');
    expect(await emails('sort=email&seenBefore=2026-02-01T00:00:00Z')).to.equal('bn');
    expect(
      await emails('seenSince=2026-01-01T00:00:00Z&seenBefore=2026-02-02T00:00:00Z&sort=lastSeenAt'),
    ).to.equal('bd');
    expect(await emails(`createdSince=${LONG_AGO}&sort=email`)).to.equal('bcdn');
    expect(await emails(`createdBefore=${LONG_AGO}`)).to.equal('');
    const { total } = await get<AccountPage>(
      '/v1/users?seenBefore=2026-02-15T00:00:00Z&domain=corp.example&total=true',
    );
    expect(total).to.deep.equal({ count: 3, capped: false });

    const walked: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: AccountPage = await get<AccountPage>(
        `/v1/users?domain=corp.example&sort=-lastSeenAt&limit=1${cursor && `&cursor=${cursor}`}`,
      );
      walked.push(...page.items.map(({ email }) => email[0] ?? ''));
      cursor = page.nextCursor;
    }
    expect(walked.join('')).to.equal('cdbn');
    await expectProblem(await app.call('/v1/users?seenSince=yesterday', { as: ADMIN }), 400, 'invalid_query');
  });

  it('are exported, and imported as nothing', async () => {
    await get('/v1/me', ADA);
    await seen(ADA);
    for (const [type, separator] of [
      ['text/csv', ','],
      ['application/x-ndjson', '"lastSeenAt":'],
    ] as const) {
      const exported = await app.call('/v1/users/export', { as: ADMIN, headers: { Accept: type } });
      const text = await exported.text();
      expect(text).to.include('lastSeenAt').and.to.include(separator);
      const response = await app.call('/v1/users/import?mode=upsert', {
        method: 'POST',
        as: ADMIN,
        headers: { 'Content-Type': type },
        body: text.replaceAll(/2\d{3}-\d\d-\d\dT[\d:.]+Z(?="?}?\r?\n)/g, '2000-01-01T00:00:00.000Z'),
      });
      expect(await response.json()).to.include({ unchanged: 2, updated: 0, created: 0, failed: 0 });
    }
    expect(Date.parse(String((await get('/v1/me', ADA)).lastSeenAt))).to.be.above(Date.parse('2001-01-01'));
  });
});
