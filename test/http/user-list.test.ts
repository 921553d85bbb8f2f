import { expect } from 'chai';
import { cursorCodec } from '../../src/security/cursor.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

interface Item {
  readonly id: number;
  readonly email: string;
  readonly createdAt: string;
}
interface Page {
  readonly items: Item[];
  readonly nextCursor: string | null;
  readonly total?: { count: number; capped: boolean };
}

const ADMIN = 'root@example.com';

describe('GET /v1/users', () => {
  let app: TestApp;
  let proxy: DatabaseProxy;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    proxy = await startProxy(database.url);
    app = await startApp({ database, through: proxy.url });
    await addAccount(database, ADMIN, { role: 'admin', name: 'Root' });
  });

  afterEach(async () => {
    await app.close();
    await proxy.close();
  });

  const get = (query: Record<string, string> = {}) =>
    app.call(`/v1/users?${new URLSearchParams(query)}`, { as: ADMIN });
  const page = async (query: Record<string, string> = {}): Promise<Page> => {
    const response = await get(query);
    const text = await response.text();
    expect(response.status, text).to.equal(200);
    return JSON.parse(text);
  };
  const emails = async (query: Record<string, string>) => (await page(query)).items.map(({ email }) => email);
  const refused = async (query: Record<string, string>, code: string) =>
    expectProblem(await get(query), 400, code);
  /** Adds `count` accounts, three created in each microsecond. */
  const addMany = (count: number) =>
    app.database.query(
      `insert into users (email, name, created_at)
       select 'p' || lpad(i::text, 6, '0') || '@example.com', 'Person ' || i,
              timestamptz '2024-01-01' + (i / 3) * interval '1 microsecond'
         from generate_series(1, $1::int) i`,
      [count],
    );
  it('shows times with three digits of a second, however many the database prints', async () => {
    const fractions = ['', '.1', '.12', '.123', '.123999', '.000001'];
    for (const [at, fraction] of fractions.entries())
      await app.database.query(`insert into users (email, created_at) values ($1, $2)`, [
        `p${at}@example.com`,
        `2024-01-02T03:04:05${fraction}Z`,
      ]);
    const { items } = await page({ sort: 'email', domain: 'example.com' });
    const shown = items.filter(({ email }) => email !== ADMIN).map(({ createdAt }) => createdAt.slice(-5));
    expect(shown).to.deep.equal(['.000Z', '.100Z', '.120Z', '.123Z', '.123Z', '.000Z']);
  });

  /** Follows the cursors through all pages, and runs `meanwhile` beside each request. */
  const walk = async (query: Record<string, string>, meanwhile = async () => {}) => {
    const items: Item[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 1000; pages++) {
      const fetched: Promise<Page> = page({ ...query, ...(cursor && { cursor }) });
      const [next] = await Promise.all([fetched, meanwhile()]);
      items.push(...next.items);
      cursor = next.nextCursor;
    }
    expect(cursor).to.equal(null);
    return items;
  };

  it('is for admins', async () => {
    await addAccount(app.database, 'ada@example.com');
    await expectProblem(await app.call('/v1/users', { as: 'ada@example.com' }), 403, 'forbidden');
    await expectProblem(await app.call('/v1/users'), 401, 'unauthenticated');
  });

  it('shows each account exactly as its own endpoint does', async () => {
    await addAccount(app.database, 'ada@example.com', {
      name: 'Ada 🎉 "\\\u0001',
      preferences: { theme: { dark: [1, null, 1e21, '": , "'] } },
    });
    await app.database.query(
      `update users set created_at = '2024-02-29 12:00:00.123999+00' where role = 'user'`,
    );
    await app.database.query(
      `update users set updated_at = '1969-12-31 23:59:59.9999+00' where role = 'admin'`,
    );
    await addAccount(app.database, 'old@example.com');
    await addAccount(app.database, 'small@example.com', {
      preferences: { numbers: Array(100).fill(1e-300) },
    });
    await app.database.query(
      `update users set created_at = '0044-03-15 12:00:00+00 BC', updated_at = '10000-01-01 00:00:00+00'
        where email = 'old@example.com'`,
    );
    const text = await (await get({ sort: 'email' })).text();
    const alone = await Promise.all(
      (JSON.parse(text) as Page).items.map(async ({ id }) =>
        (await app.call(`/v1/users/${id}`, { as: ADMIN })).json(),
      ),
    );
    expect(alone).to.have.length(4);
    expect(JSON.parse(text)).to.deep.equal({ items: alone, nextCursor: null });
    // PostgreSQL itself prints three hundred digits of each small number.
    expect(text.length).to.be.below(JSON.stringify(alone).length + 1_000);
  });

  it('refuses within a second a short text that takes longer to find, and finds others as before', async () => {
    await addMany(10);
    await app.database.query(
      `create or replace function rollcall_fold(value text) returns text language plpgsql immutable parallel safe as
       $$ begin perform pg_sleep(0.3); return lower(value); end $$`,
    );
    const problem = await refused({ q: 'zq' }, 'invalid_query');
    expect(problem['errors']).to.deep.equal([
      {
        path: 'q',
        message: 'Took too long to find: search for at least three letters or digits in a row.',
      },
    ]);
    expect(await emails({ email: 'p000001@example.com' })).to.deep.equal(['p000001@example.com']);
    expect(await emails({ q: 'p0', limit: '1' })).to.deep.equal(['p000010@example.com']);
  });

  it('costs one query besides authentication, and a second for the total', async () => {
    await addMany(10);
    await page();
    proxy.reset();
    await page({ limit: '3', q: 'person' });
    expect(proxy.statements()).to.equal(2);
    await page({ limit: '3', q: 'person', total: 'true' });
    expect(proxy.statements()).to.equal(5);
  });

  it('starts with the 50 newest', async () => {
    await addMany(60);
    const { items, nextCursor } = await page();
    // The admin's account was created long ago.
    const rows = await app.database.query<{ id: number }>(
      'select id from users order by created_at desc, id desc limit 50',
    );
    expect(items.map(({ id }) => id)).to.deep.equal(rows.map(({ id }) => id));
    expect(nextCursor).to.be.a('string');
  });

  for (const [sort, order] of Object.entries({
    createdAt: 'created_at, id',
    '-createdAt': 'created_at desc, id desc',
    email: 'email',
    '-email': 'email desc',
  })) {
    it(`sorts by ${sort}, and loses no account at a page boundary, even within a microsecond`, async () => {
      await addMany(100);
      const rows = await app.database.query<{ id: number }>(`select id from users order by ${order}`);
      const walked = await walk({ sort, limit: '7' });
      expect(walked.map(({ id }) => id)).to.deep.equal(rows.map(({ id }) => id));
    });

    it(`shows each account once during inserts and deletes, sorted by ${sort}`, async () => {
      await addMany(400);
      const lasting = await app.database.query<{ id: number }>(
        'select id from users where id % 4 > 0 order by id',
      );
      const others = await app.database.connect();
      let round = 0;
      // Fewer inserts per page than accounts on it, or the walk would never end.
      const disturb = async () => {
        for (const end = round + 2; round < end; round++) {
          await others.query(
            `insert into users (email, created_at)
             values ($1, timestamptz '2024-01-01' + ($2 % 140) * interval '1 microsecond'), ($3, default)`,
            [
              `p${String((round * 37) % 400).padStart(6, '0')}.${round}@x.com`,
              round,
              `z${round}@example.com`,
            ],
          );
          await others.query('delete from users where id = (select min(id) from users where id % 4 = 0)');
        }
      };
      const seen = await walk({ sort, limit: '10' }, disturb);
      expect(round).to.be.at.least(60);
      const ids = seen.map(({ id }) => id);
      expect(new Set(ids).size).to.equal(ids.length);
      expect(ids).to.include.members(lasting.map(({ id }) => id));
    });
  }

  it('ends with a page that may be exactly full', async () => {
    await addMany(5);
    const { items, nextCursor } = await page({ limit: '6' });
    expect(items).to.have.length(6);
    expect(nextCursor).to.equal(null);
    expect((await get({ limit: '6' })).headers.get('link')).to.equal(null);
  });

  it('links the next page with the whole query, up to the last page', async () => {
    await addMany(23);
    const query = { q: 'P%_é>"', limit: '5', sort: 'email', status: 'active', total: 'true' };
    await app.database.query(`update users set name = 'a p%_é>"b' where role = 'user'`);
    let path: string | undefined = `/v1/users?${new URLSearchParams(query)}`;
    const seen: string[] = [];
    for (let pages = 0; path !== undefined && pages < 10; pages++) {
      const response: Response = await app.call(path, { as: ADMIN });
      const { items, nextCursor } = (await response.json()) as Page;
      seen.push(...items.map(({ email }) => email));
      const link: string | null = response.headers.get('link');
      path = /^<(\/v1\/users\?[^<>"\s]+)>; rel="next"$/.exec(link ?? '')?.[1];
      expect(path === undefined).to.equal(nextCursor === null);
      if (path === undefined) expect(link).to.equal(null);
      else {
        const parameters = Object.fromEntries(new URL(path, app.url).searchParams);
        expect(parameters).to.deep.equal({ ...query, cursor: nextCursor });
      }
    }
    expect(seen).to.deep.equal(await emails({ ...query, limit: '200' }));
    expect(seen).to.have.length(23);
  });

  it('filters by role, status, storage mode and email, alone and together', async () => {
    await addAccount(app.database, 'ada@example.com', { storage_mode: 'account' });
    await addAccount(app.database, 'bob@example.com');
    await app.database.query(`update users set status = 'suspended' where email = 'bob@example.com'`);
    expect(await emails({ role: 'admin' })).to.deep.equal([ADMIN]);
    expect(await emails({ status: 'suspended' })).to.deep.equal(['bob@example.com']);
    expect(await emails({ storageMode: 'account' })).to.deep.equal(['ada@example.com']);
    expect(await emails({ email: ' ADA@Example.com ' })).to.deep.equal(['ada@example.com']);
    expect(await emails({ email: 'ada@example' })).to.deep.equal([]);
    expect(await emails({ role: 'user', status: 'active', sort: 'email' })).to.deep.equal([
      'ada@example.com',
    ]);
    expect(await emails({ role: 'admin', status: 'suspended' })).to.deep.equal([]);
  });

  it('finds a part of the email or the name, in any case, and treats every character literally', async () => {
    const names = [
      '100% Ada',
      'under_score',
      String.raw`back\slash`,
      "O'Hara",
      'Émile 🎉🎊',
      'Straße ﬁne',
      ' a b ',
    ];
    for (const [i, name] of names.entries()) await addAccount(app.database, `no${i}@example.org`, { name });
    await addAccount(app.database, 'grüße_x@example.net');
    const found = async (q: string) =>
      (await page({ q, sort: 'email' })).items.map((item) => (item as { name?: string }).name ?? item.email);
    for (const [q, expected] of Object.entries({
      '0%': ['100% Ada'],
      '100% aDA': ['100% Ada'],
      '%': ['100% Ada'],
      _: ['grüße_x@example.net', 'under_score'],
      r_s: ['under_score'],
      UNDER_SCORE: ['under_score'],
      'under%score': [],
      '\\': [String.raw`back\slash`],
      'k\\s': [String.raw`back\slash`],
      'back\\slash': [String.raw`back\slash`],
      'back\\': [String.raw`back\slash`],
      "'": ["O'Hara"],
      "'; drop table users; --": [],
      "o'hara": ["O'Hara"],
      '🎉': ['Émile 🎉🎊'],
      '🎉🎊': ['Émile 🎉🎊'],
      é: ['Émile 🎉🎊'],
      éMILE: ['Émile 🎉🎊'],
      GRÜSSE: [],
      GRÜßE: ['grüße_x@example.net'],
      'gru\u0308ße_': ['grüße_x@example.net'],
      ﬁne: ['Straße ﬁne'],
      'X@EXAMPLE.NET': ['grüße_x@example.net'],
      ' a b ': [' a b '],
      '1 OR 1=1': [],
      $1: [],
    })) {
      expect(await found(q), q).to.deep.equal(expected);
    }
  });

  it('counts the whole list on each page, up to 10,000', async () => {
    await addMany(9_999);
    expect((await page({ total: 'true', limit: '1' })).total).to.deep.equal({ count: 10_000, capped: false });
    expect((await page({ total: 'true', q: 'p00001' })).total).to.deep.equal({ count: 10, capped: false });
    expect((await page({ total: 'true', role: 'admin' })).total).to.deep.equal({ count: 1, capped: false });
    expect(await page({ total: 'false', limit: '1' })).to.have.all.keys('items', 'nextCursor');
    await addAccount(app.database, 'one-more@example.com');
    const { nextCursor, total } = await page({ total: 'true', limit: '1' });
    expect(total).to.deep.equal({ count: 10_000, capped: true });
    expect((await page({ total: 'true', cursor: nextCursor as string })).total).to.deep.equal(total);
  });

  for (const [parameter, values] of Object.entries({
    limit: ['0', '201', '-1', '1.5', '1e2', '0x10', ' 5', '', 'ten', '9'.repeat(400), '٣'],
    sort: ['', 'name', 'createdat', '--email', 'email,createdAt', '__proto__', 'constructor'],
    role: ['', 'owner', 'ADMIN', 'user,admin'],
    status: ['', 'deleted', 'Active'],
    storageMode: ['', 'cloud'],
    email: ['', 'a\0b', 'a'.repeat(256)],
    ids: ['', '0', '01', '-1', '1,', ',1', '1, 2', '1.5', '9999999999', 'one', Array(101).fill('1').join()],
    q: ['', 'a\0b', '\0', 'a'.repeat(256)],
    total: ['', '1', 'yes', 'TRUE'],
    offset: ['50'],
    toString: ['1'],
    'q[]': ['ada'],
  })) {
    it(`refuses invalid parameters: ${parameter}`, async () => {
      for (const value of values) {
        const problem = await refused({ [parameter]: value }, 'invalid_query');
        expect((problem['errors'] as { path: string }[])[0]?.path, value).to.equal(parameter);
      }
    });
  }

  it('finds accounts by their ids, and passes over those that are gone', async () => {
    await addMany(5);
    const list = { ids: '2,4,4,6,999999999', sort: 'email' };
    const found = await page({ ...list, total: 'true' });
    expect(found.items.map(({ id }) => id)).to.deep.equal([2, 4, 6]);
    expect(found.total).to.deep.equal({ count: 3, capped: false });
    const first = await get({ ...list, limit: '2' });
    const next = /<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = (await (await app.call(next, { as: ADMIN })).json()) as Page;
    expect(second.items.map(({ id }) => id)).to.deep.equal([6]);
    await refused(
      { ids: '2,4', sort: 'email', cursor: ((await first.json()) as Page).nextCursor ?? '' },
      'bad_cursor',
    );
  });

  it('names every invalid parameter of a query, including repeated ones', async () => {
    const response = await app.call('/v1/users?limit=0&role=owner&q=a&q=b', { as: ADMIN });
    const problem = await expectProblem(response, 400, 'invalid_query');
    expect(problem['errors']).to.have.deep.members([
      { path: 'limit', message: 'Must be a whole number from 1 to 200.' },
      { path: 'role', message: 'Must be "user" or "admin".' },
      { path: 'q', message: 'Must be given once.' },
    ]);
  });

  it('passes over what caches and trackers add to a URL, and keeps it out of the next link', async () => {
    await addMany(3);
    const added =
      '_=1700000000&_ga=1.2&_gl=1&utm_source=mail&utm_source=again&fbclid=a&gclid=b&msclkid=c&mc_cid=d';
    const response = await app.call(`/v1/users?${added}&limit=2&sort=email`, { as: ADMIN });
    expect(response.status).to.equal(200);
    expect(response.headers.get('link')).to.match(/^<\/v1\/users\?limit=2&sort=email&cursor=[^&]+>/);
    for (const typo of ['roll=admin', 'utm=x', 'clid=x', 'fbclids=x', '_ [x]=1', '_role=admin', '_limit=1']) {
      const problem = await expectProblem(
        await app.call(`/v1/users?${added}&${typo}`, { as: ADMIN }),
        400,
        'invalid_query',
      );
      expect(problem['errors']).to.have.length(1);
    }
  });

  it('accepts a cursor for the same list only, with any limit and with or without the total', async () => {
    await addMany(10);
    const list = { sort: 'createdAt', status: 'active', q: 'PERSON' };
    const cursor = (await page({ ...list, limit: '2' })).nextCursor as string;
    expect((await page({ ...list, limit: '3', total: 'true', cursor })).items).to.have.length(3);
    for (const other of [
      { ...list, sort: '-createdAt' },
      { ...list, sort: 'email' },
      { ...list, status: 'suspended' },
      { ...list, role: 'user' },
      { ...list, storageMode: 'local' },
      { ...list, email: 'p000001@example.com' },
      { ...list, q: 'person ' },
      { sort: 'createdAt', q: 'PERSON' },
      { sort: 'createdAt', status: 'active' },
      {},
    ]) {
      await refused({ ...other, cursor }, 'bad_cursor');
    }
  });

  it('refuses a forged, altered or truncated cursor', async () => {
    await addMany(10);
    const cursor = (await page({ limit: '2', sort: 'email' })).nextCursor as string;
    const scope = ['accounts', 'email', null, null, null, null, null];
    expect(cursorCodec(SECRET).open(cursor, scope)).to.be.an('array');
    const forged = cursorCodec(`${SECRET}.`).seal(['p000001@example.com'], scope);
    const bytes = Buffer.from(cursor, 'base64url');
    const tampered = [...bytes.keys()].map((at) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      return changed.toString('base64url');
    });
    for (const bad of [
      ...tampered,
      forged,
      '',
      'x',
      '0',
      'null',
      '🎉',
      `${cursor}=`,
      ` ${cursor}`,
      `${cursor}A`,
      cursor.slice(0, -1),
      bytes.toString('base64'),
      bytes.subarray(0, 16).toString('base64url'),
      Buffer.from('["p000001@example.com"]').toString('base64url'),
      'A'.repeat(5000),
    ]) {
      if (bad !== cursor) await refused({ sort: 'email', cursor: bad }, 'bad_cursor');
    }
  });

  it('stores and lists the longest email with the longest name', async () => {
    // Four bytes per character that do not compress: the widest row that an index must hold.
    const email = `${letters(127)}@${letters(123)}.com`;
    await addAccount(app.database, email, { name: letters(255), role: 'user' });
    expect(await emails({ sort: '-email', limit: '1' })).to.deep.equal([email]);
    expect(await emails({ q: email })).to.deep.equal([email]);
  });

  it('returns cursors that outlive the process, even for the longest email', async () => {
    const long = `${'é'.repeat(127)}@${'ü'.repeat(123)}.com`;
    await addAccount(app.database, long);
    await addAccount(app.database, 'ü@example.com');
    const { items, nextCursor } = await page({ sort: '-email', limit: '2' });
    expect(items.map(({ email }) => email)).to.deep.equal(['ü@example.com', long]);
    const later = await startApp({ database: app.database });
    try {
      const path = `/v1/users?sort=-email&cursor=${nextCursor}`;
      const response = await later.call(path, { as: ADMIN });
      expect(((await response.json()) as Page).items.map(({ email }) => email)).to.deep.equal([ADMIN]);
    } finally {
      // Does not drop the database, which the other app still uses.
      await later.drain(1_000);
      await later.orm.close(true);
    }
  });
});

/** `count` ideographs from beyond the Basic Multilingual Plane, all different. */
function letters(count: number): string {
  return String.fromCodePoint(...Array.from({ length: count }, (_, i) => 0x20000 + ((i * 7919) % 40_000)));
}
