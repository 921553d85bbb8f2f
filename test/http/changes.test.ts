import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { addChanges } from '../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { placeOf } from '../support/feed.ts';
import { expectProblem } from '../support/problem.ts';
import { dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

interface Item {
  readonly id: number;
  readonly userId: number;
  readonly version: number;
  readonly cursor: string;
}

interface Page {
  readonly items: Item[];
  readonly nextCursor: string;
}

describe('GET /v1/changes', () => {
  let database: TestDatabase;
  let app: TestApp;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    app = await startApp({ database });
    await addAccount(database, ADA, { role: 'admin' });
  });

  afterEach(() => app.close());

  const get = (query = '', options: RequestInit = {}) =>
    app.call(`/v1/changes${query}`, { as: ADA, ...options });
  const page = async (query = ''): Promise<Page> => {
    const response = await get(query);
    expect(response.status).to.equal(200);
    return (await response.json()) as Page;
  };
  const invite = (email: string) =>
    app.call('/v1/users', {
      as: ADA,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'from-the-test' },
      body: JSON.stringify({ email }),
    });
  const ids = ({ items }: Page) => items.map(({ id }) => id);

  describe('as pages', () => {
    it('shows each change as in the history, with its cursor', async () => {
      await invite('grace@example.com');
      const response = await get();
      expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.get('vary')).to.equal('Accept');
      const { items, nextCursor } = (await response.json()) as Page;
      expect(ids({ items, nextCursor })).to.deep.equal([1, 2]);
      const [row] = await database.query(
        `select transaction_id || '-' || id as cursor, at from changes where id = 2`,
      );
      expect({ ...items[1], cursor: placeOf(items[1]?.cursor) }).to.deep.equal({
        id: 2,
        at: row?.['at'].toISOString(),
        actorId: 1,
        actor: ADA,
        requestId: 'from-the-test',
        userId: 2,
        action: 'created',
        before: null,
        after: {
          email: 'grace@example.com',
          name: null,
          role: 'user',
          status: 'active',
          storageMode: 'local',
          preferences: {},
        },
        version: 1,
        undoes: null,
        reason: null,
        erasedAt: null,
        cursor: row?.['cursor'],
      });
      expect(nextCursor).to.equal(items[1]?.cursor);
    });

    it('continues after a cursor, and repeats the cursor at the end of the feed', async () => {
      await addChanges(database, 4);
      const first = await page('?limit=3');
      expect(ids(first)).to.deep.equal([1, 2, 3]);
      const second = await page(`?limit=3&after=${first.nextCursor}`);
      expect(ids(second)).to.deep.equal([4, 5]);
      const third = await page(`?limit=3&after=${second.nextCursor}`);
      expect(third).to.deep.equal({ items: [], nextCursor: second.nextCursor });
      expect(ids(await page(`?after=${first.items[0]?.cursor}`))).to.deep.equal([2, 3, 4, 5]);
    });

    it('is empty before the first change, but still returns a cursor', async () => {
      await database.query('delete from changes');
      const { items, nextCursor } = await page();
      expect(items).to.deep.equal([]);
      await invite('grace@example.com');
      expect((await page(`?after=${nextCursor}`)).items).to.have.length(1);
    });

    it('starts at the end of the feed with after=now', async () => {
      const { items, nextCursor } = await page('?after=now');
      expect(items).to.deep.equal([]);
      await invite('grace@example.com');
      expect(ids(await page(`?after=${nextCursor}`))).to.deep.equal([2]);
    });

    it('returns 100 changes a page by default, and at most 1,000', async () => {
      await addChanges(database, 10_000);
      const seen: number[] = [];
      for (let after = ''; ; ) {
        const next = await page(`?limit=1000${after}`);
        if (next.items.length === 0) break;
        seen.push(...ids(next));
        after = `&after=${next.nextCursor}`;
      }
      expect(seen).to.deep.equal(Array.from({ length: 10_001 }, (_, n) => n + 1));
      expect((await page()).items).to.have.length(100);
      expect((await page('?limit=0007')).items).to.have.length(7);
    });

    for (const query of [
      'limit=0',
      'limit=1001',
      'limit=-1',
      'limit=1.5',
      'limit=1e2',
      'limit=',
      'wait=31',
      'wait=-1',
      'wait=0.5',
      'wait=Infinity',
      'after=1-1&after=1-1',
      'since=now',
    ]) {
      it(`refuses ${query}`, async () => {
        await expectProblem(await get(`?${query}`), 400, 'invalid_query');
      });
    }

    it('refuses an invalid cursor and one of a missing entry', async () => {
      const { nextCursor } = await page();
      for (const cursor of [
        '',
        'x',
        '1',
        '-',
        `${placeOf(nextCursor)}0`,
        `${nextCursor}x`,
        `0${nextCursor}`,
        '9'.repeat(9_000),
      ]) {
        await expectProblem(await get(`?after=${cursor}`), 400, 'bad_cursor');
        await expectProblem(await get(`?after=${cursor}&wait=30`), 400, 'bad_cursor');
      }
    });
  });

  describe('with wait', () => {
    it('answers at once when there are changes', async () => {
      expect(ids(await page('?wait=30'))).to.deep.equal([1]);
    });

    it('answers as soon as a change arrives', async () => {
      const { nextCursor } = await page();
      const waiting = page(`?after=${nextCursor}&wait=30`);
      await invite('grace@example.com');
      const { items, nextCursor: next } = await waiting;
      expect(items.map(({ id }) => id)).to.deep.equal([2]);
      expect(next).to.equal(items[0]?.cursor);
    });

    it('answers with an empty page when the time is up', async () => {
      const { nextCursor } = await page();
      expect(await page(`?after=${nextCursor}&wait=1`)).to.deep.equal({ items: [], nextCursor });
    });

    it('holds no connection and no transaction while it waits', async () => {
      const { nextCursor } = await page();
      // The pool has ten connections.
      const waiting = Array.from({ length: 40 }, () => page(`?after=${nextCursor}&wait=30`));
      const open = () =>
        database.query(
          `select from pg_stat_activity
            where datname = current_database() and application_name = 'rollcall' and state <> 'idle'`,
        );
      await until(
        'the feed to listen, with no query',
        async () => (await isListening()) && (await open()).length === 0,
      );
      expect((await invite('grace@example.com')).status).to.equal(201);
      for (const answer of await Promise.all(waiting)) expect(ids(answer)).to.deep.equal([2]);
    });

    it('stops waiting when the caller hangs up', async () => {
      const { nextCursor } = await page();
      const socket = await dial(app.url);
      socket.write(
        `GET /v1/changes?after=${nextCursor}&wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${forge()}\r\n\r\n`,
      );
      await until('the feed to listen', () => isListening());
      socket.destroy();
      await until('both requests to be logged', () => requestsLogged() === 2);
      expect(app.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([]);
    });

    it('answers at once when the process drains, and closes the connection', async () => {
      const { nextCursor } = await page();
      const waiting = get(`?after=${nextCursor}&wait=30`);
      await until('the feed to listen', () => isListening());
      const drained = app.drain(20_000);
      const response = await waiting;
      expect(response.headers.get('connection')).to.equal('close');
      expect(await response.json()).to.deep.equal({ items: [], nextCursor });
      expect(await drained).to.equal(true);
    });
  });

  const requestsLogged = () =>
    app.log.filter(({ msg, route }) => msg === 'request' && route === '/v1/changes').length;
  const isListening = async () => {
    const rows = await database.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'rollcall listener'
          and query like 'listen%'`,
    );
    return rows.length === 1;
  };
});
