import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { ObservedServer } from '../support/metrics.ts';
import { expectProblem } from '../support/problem.ts';
import { pauseReplay, resumeReplay, startReading, urlOf } from '../support/read-replicas.ts';
import { type Pair, startPair } from '../support/replication.ts';
import { until } from '../support/until.ts';

/** Reads the lists. */
const ADA = 'ada@example.com';
/** Writes. */
const BOB = 'bob@example.com';
/** Follows the feed. */
const CARL = 'carl@example.com';

interface Item {
  readonly id: number;
  readonly email: string;
  readonly name: string | null;
  readonly version: number;
}

describe('read replicas', function () {
  this.timeout(120_000);

  let pair: Pair;
  /** Two processes of one service. */
  let server: ObservedServer;
  let other: ObservedServer;

  before(async () => {
    pair = await startPair();
    const env = { INITIAL_ADMINS: `${ADA},${BOB},${CARL}` };
    server = await startReading(urlOf(pair.primary), [urlOf(pair.standby)], env);
    other = await startReading(urlOf(pair.primary), [urlOf(pair.standby)], env);
  });

  after(async () => {
    await server.end('SIGTERM');
    await other.end('SIGTERM');
    await pair.remove();
  });

  let count = 0;
  beforeEach(() => {
    count++;
  });
  afterEach(async () => {
    await resumeReplay(pair.standby);
    await pair.caughtUp();
  });

  const send = (at: ObservedServer, method: string, path: string, body?: object, headers = {}) =>
    at.call(path, {
      method,
      as: BOB,
      headers: { ...headers, ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  const json = async <T>(response: Response): Promise<T> => {
    const text = await response.text();
    expect(response.status, text).to.be.within(200, 299);
    return JSON.parse(text) as T;
  };
  /** Creates an account in the name of Bob. */
  const invite = async (at: ObservedServer, name = 'new') => {
    const response = await send(at, 'POST', '/v1/users', { email: `${name}${count}@example.com` });
    const bookmark = response.headers.get('rollcall-bookmark') ?? '';
    return { ...(await json<Item>(response)), bookmark };
  };
  const read = <T>(path: string, { as = ADA, bookmark }: { as?: string; bookmark?: string } = {}) =>
    server
      .call(path, { as, ...(bookmark !== undefined && { headers: { 'Rollcall-Bookmark': bookmark } }) })
      .then((response) => json<T>(response));
  const list = async (options: Parameters<typeof read>[1] = {}) =>
    (await read<{ items: Item[] }>('/v1/users?limit=200', options)).items;
  const emails = async (options: Parameters<typeof read>[1] = {}) =>
    (await list(options)).map(({ email }) => email);
  /** Waits until the replica answers, which lacks this account: a check that takes too long leaves it out for a moment. */
  const lacks = (email: string) =>
    until('an answer of the replica', async () => !(await emails()).includes(email));
  /** Creates an account that the replica has, and pauses its replay. */
  const frozen = async () => {
    const account = await invite(other, 'old');
    await pair.caughtUp();
    await pauseReplay(pair.standby);
    return account;
  };

  it('serve the list and the history', async () => {
    const old = await frozen();
    const created = await invite(other);
    await lacks(created.email);
    expect(await emails()).to.include(old.email);
    await until('the history of the replica', async () => {
      const { items } = await read<{ items: { userId: number }[] }>('/v1/history');
      const ids = items.map(({ userId }) => userId);
      expect(ids).to.include(old.id);
      return !ids.includes(created.id);
    });
    await json(await send(other, 'PATCH', `/v1/users/${old.id}`, { name: 'Later' }));
    const historyOf = ({ id }: Item) =>
      read<{ items: unknown[]; nextCursor: string | null }>(`/v1/users/${id}/history`);
    await until('the history of the account', async () => (await historyOf(old)).items.length === 1);
    // The primary knows it, and the replica not yet.
    const none = await until('the empty history', async () => {
      const page = await historyOf(created);
      return page.items.length === 0 ? page : undefined;
    });
    expect(none).to.deep.equal({ items: [], nextCursor: null });
    const counted = await read<{ items: Item[]; total: object }>('/v1/users?limit=200&total=true');
    expect(counted.total).to.deep.equal({ count: counted.items.length, capped: false });
  });

  it('serve the past of an account, as far as they have it', async () => {
    const old = await frozen();
    const before = new Date();
    await until('a later second', () => Date.now() > before.getTime() + 2_000);
    await json(await send(other, 'PATCH', `/v1/users/${old.id}`, { name: 'Later' }));
    const at = (moment: Date) => read<Item>(`/v1/users/${old.id}?at=${moment.toISOString()}`);
    expect((await at(new Date())).name).to.equal('Later');
    expect((await at(before)).name).to.equal(null);

    await resumeReplay(pair.standby);
    await pair.caughtUp();
    const asked = async () => {
      await at(before);
      const rows = await pair.standby.query<{ query: string }>(
        `select query from pg_stat_activity where application_name = 'rollcall'`,
      );
      return rows.some(({ query }) => query.includes('earlier'));
    };
    await until('the replica', asked);
  });

  it("serve neither access, nor one's own account, nor single accounts, nor the feed", async () => {
    const { nextCursor } = await read<{ nextCursor: string }>('/v1/changes?after=now', { as: CARL });
    await frozen();
    const created = await invite(other);
    await json(
      await other.call('/v1/me', {
        method: 'PATCH',
        as: ADA,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name: `Ada ${count}` }),
      }),
    );
    expect((await read<Item>(`/v1/users/${created.id}`)).email).to.equal(created.email);
    expect((await read<Item>('/v1/me')).name).to.equal(`Ada ${count}`);
    const { items: own } = await read<{ items: { after: Partial<Item> }[] }>('/v1/me/history');
    expect(own[0]?.after.name).to.equal(`Ada ${count}`);
    expect((await read<{ account: Item }>('/v1/me/export')).account.name).to.equal(`Ada ${count}`);
    const { items: fed } = await read<{ items: { userId: number }[] }>(`/v1/changes?after=${nextCursor}`, {
      as: CARL,
    });
    expect(fed.map(({ userId }) => userId)).to.include(created.id);
    const dryRun = await send(server, 'PATCH', `/v1/users/${created.id}?dryRun=true`, { name: 'Dry' });
    expect(dryRun.headers.get('rollcall-bookmark')).to.equal(null);
    expect((await json<{ changes: unknown[] }>(dryRun)).changes).to.have.length(1);
  });

  it('let an admin go at once who is suspended, and a service token that is revoked', async () => {
    const eve = await json<Item>(
      await send(other, 'POST', '/v1/users', { email: `eve${count}@example.com`, role: 'admin' }),
    );
    const token = await json<{ id: number; token: string }>(
      await send(other, 'POST', '/v1/service-tokens', {
        name: `t${count}`,
        scopes: ['users:read'],
        expiresAt: null,
      }),
    );
    const asToken = () => server.call('/v1/users', { headers: { Authorization: `Bearer ${token.token}` } });
    await pair.caughtUp();
    expect(await emails({ as: eve.email })).to.include(eve.email);
    expect((await asToken()).status).to.equal(200);
    await pauseReplay(pair.standby);
    await json(await send(other, 'PATCH', `/v1/users/${eve.id}`, { status: 'suspended' }));
    await send(other, 'DELETE', `/v1/service-tokens/${token.id}`);
    for (const path of ['/v1/users', '/v1/users/export', '/v1/history', `/v1/users/${eve.id}/history`])
      await expectProblem(await server.call(path, { as: eve.email }), 403, 'account_suspended');
    await expectProblem(await asToken(), 401, 'unauthenticated');
  });

  it('show whoever has written what they wrote, in their process', async () => {
    await frozen();
    const created = await invite(server);
    expect(await emails({ as: BOB })).to.include(created.email);
    await lacks(created.email);
    await resumeReplay(pair.standby);
    await pair.caughtUp();
    // A check later, the replica serves Bob again.
    await until('the replica', async () => {
      await pauseReplay(pair.standby);
      const later = await invite(other, `later${Math.random()}`.replace('.', ''));
      const isServed = !(await emails({ as: BOB })).includes(later.email);
      await resumeReplay(pair.standby);
      await pair.caughtUp();
      return isServed;
    });
  });

  it('show a write of any process to whoever sends its bookmark', async () => {
    await frozen();
    const first = await invite(other, 'first');
    expect(first.bookmark).to.match(/^[0-9a-f]{12}-\d+$/);
    await lacks(first.email);
    expect(await emails({ bookmark: first.bookmark })).to.include(first.email);
    await resumeReplay(pair.standby);
    await pair.caughtUp();
    await pauseReplay(pair.standby);
    const second = await invite(other, 'second');
    expect(second.bookmark).not.to.equal(first.bookmark);
    // A replica that answers too late for a bookmark is known to have it after its next check.
    await until('an answer of the replica', async () => {
      const shown = await emails({ bookmark: first.bookmark });
      expect(shown).to.include(first.email);
      return !shown.includes(second.email);
    });
  });

  it('show everybody what they wrote, however far the replica lags', async () => {
    let isOver = false;
    const lag = async () => {
      while (!isOver) {
        await pauseReplay(pair.standby);
        await pause(Math.random() * 300);
        await resumeReplay(pair.standby);
        await pause(Math.random() * 200);
      }
    };
    const namesOf = async (at: ObservedServer, as: string, headers = {}) => {
      const response = await at.call(`/v1/users?email=${as}`, { as, headers });
      return (await json<{ items: Item[] }>(response)).items.map(({ name }) => name);
    };
    const writeAndRead = async (as: string, n: number) => {
      const [here, there] = n % 2 === 0 ? [server, other] : [other, server];
      const name = `${count} ${n}`;
      const written = await here.call('/v1/me', {
        method: 'PATCH',
        as,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      const bookmark = written.headers.get('rollcall-bookmark') ?? '';
      expect((await json<Item>(written)).name).to.equal(name);
      expect(await namesOf(here, as)).to.deep.equal([name]);
      expect(await namesOf(there, as, { 'Rollcall-Bookmark': bookmark })).to.deep.equal([name]);
    };
    const lagging = lag();
    try {
      await Promise.all(
        [BOB, CARL].map(async (as) => {
          for (let n = 0; n < 20; n++) await writeAndRead(as, n);
        }),
      );
    } finally {
      isOver = true;
      await lagging;
    }
  });

  it('serve an export if they have all of it, so that nothing is missing before a cursor of the feed', async () => {
    const exported = async () => (await server.call('/v1/users/export', { as: ADA })).text();
    await frozen();
    const { email } = await invite(other);
    await lacks(email);
    expect(await exported()).to.include(email);
    await resumeReplay(pair.standby);
    await until('an export of the replica', async () => {
      expect(await exported()).to.include(email);
      const rows = await pair.standby.query<{ query: string }>(
        `select from pg_stat_activity where application_name = 'rollcall' and query = 'rollback'`,
      );
      return rows.length > 0;
    });
  });

  it('show whoever has read the feed what they read, and give them a bookmark', async () => {
    await frozen();
    const { email } = await invite(other);
    await lacks(email);
    const feed = await server.call('/v1/changes?after=now', { as: CARL });
    const bookmark = feed.headers.get('rollcall-bookmark') ?? '';
    expect(feed.status).to.equal(200);
    expect(await emails({ as: CARL })).to.include(email);
    await lacks(email);
    expect(await emails({ bookmark })).to.include(email);
  });

  it('serve no read whose bookmark is none, or of another life of the database', async () => {
    await frozen();
    const { email } = await invite(other);
    await lacks(email);
    for (const bookmark of ['nonsense', '', '0-0', '000000000000-0', '3f9c2a7be1d0-99999999999999999999'])
      expect(await emails({ bookmark }), bookmark).to.include(email);
  });

  it('come with a bookmark in the answer of every write, and in no other', async () => {
    const account = await invite(server);
    const path = `/v1/users/${account.id}`;
    const key = { 'Idempotency-Key': `"read-replicas-${count}"` };
    const named = { name: 'Grace' };
    const bookmarks: (string | null)[] = [account.bookmark];
    const bookmarkOf = async (response: Response) => {
      expect(response.status, await response.text()).to.be.within(200, 299);
      return response.headers.get('rollcall-bookmark');
    };
    for (const [method, at, body, headers] of [
      ['PATCH', path, named],
      // Nothing to change.
      ['PATCH', path, named],
      ['PATCH', path, { name: 'Hopper' }, key],
      // Sent again.
      ['PATCH', path, { name: 'Hopper' }, key],
      ['POST', '/v1/service-tokens', { name: `w${count}`, scopes: ['users:read'], expiresAt: null }],
      ['DELETE', path],
    ] as [string, string, object?, object?][])
      bookmarks.push(await bookmarkOf(await send(server, method, at, body, headers)));
    const { items } = await read<{ items: { id: number }[] }>(`${path}/history`, {
      bookmark: bookmarks.at(-1) ?? '',
    });
    bookmarks.push(await bookmarkOf(await send(server, 'POST', `/v1/history/${items[0]?.id}/undo`)));
    const upload = { method: 'POST', as: BOB, headers: { 'Content-Type': 'text/csv' } };
    const file = `email\r\nimported${count}@example.com\r\n`;
    bookmarks.push(await bookmarkOf(await server.call('/v1/users/import', { ...upload, body: file })));
    const positions = bookmarks.map((bookmark) => Number(bookmark?.split('-')[1]));
    expect(
      positions.every((position) => position > 0),
      bookmarks.join(),
    ).to.equal(true);
    expect(positions).to.deep.equal([...positions].sort((a, b) => a - b));

    for (const response of [
      await server.call('/v1/users', { as: BOB }),
      await send(server, 'PATCH', path, { name: 1 }),
      await send(server, 'PATCH', `${path}?dryRun=true`, { name: 'Dry' }),
    ])
      expect(response.headers.get('rollcall-bookmark')).to.equal(null);
  });

  it('give versions that If-Match refuses where they are old', async () => {
    const account = await frozen();
    const changed = await send(other, 'PATCH', `/v1/users/${account.id}`, { name: 'Newer' });
    expect(changed.headers.get('etag')).to.equal('"2"');
    const listed = await until('an old version', async () => {
      return (await list()).find(({ id, version }) => id === account.id && version === 1);
    });
    const late = await server.call(`/v1/users/${account.id}`, {
      method: 'PATCH',
      as: ADA,
      headers: { 'Content-Type': 'application/json', 'If-Match': `"${listed.version}"` },
      body: JSON.stringify({ name: 'Lost' }),
    });
    expect(late.headers.get('etag')).to.equal('"2"');
    await expectProblem(late, 412, 'precondition_failed');
  });

  it('and the primary may serve pages of one walk in turns: each account comes once', async () => {
    await frozen();
    const created = await invite(other);
    const seen: string[] = [];
    let path: string | undefined = '/v1/users?limit=2&sort=email';
    for (let page = 0; path !== undefined; page++) {
      type Page = { items: Item[]; nextCursor: string | null };
      const { items, nextCursor }: Page = await read<Page>(
        path,
        page % 2 === 0 ? {} : { bookmark: created.bookmark },
      );
      seen.push(...items.map(({ email }) => email));
      path = nextCursor === null ? undefined : `/v1/users?limit=2&sort=email&cursor=${nextCursor}`;
    }
    const all = await emails({ bookmark: created.bookmark });
    expect(new Set(seen).size).to.equal(seen.length);
    expect(all.filter((email) => email !== created.email)).to.include.members(
      seen.filter((email) => email !== created.email),
    );
    expect(seen.filter((email) => email !== created.email)).to.have.length(all.length - 1);
  });
});
