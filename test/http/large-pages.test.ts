import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

const ADA = 'ada@example.com';

/** About 16 kB, in a form that PostgreSQL stores in a few bytes. */
const LONG = JSON.stringify({ note: 'x'.repeat(16_000) });

const COUNT = 200;

/** What an answer may have: a megabyte of values, and what is around them. */
const MOST_BYTES = 1.2 * 1024 * 1024;

describe('pages of large values', function () {
  this.timeout(120_000);

  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    const { id } = await addAccount(app.database, ADA, { role: 'admin' });
    await app.database.query(
      `insert into users (email, preferences) select 'u' || n || '@example.com', $1 from generate_series(1, $2::int) as n`,
      [LONG, COUNT],
    );
    await app.database.query(
      `insert into changes (actor, user_id, action, before, after, fields, version)
       select 'cli', $1, 'updated', jsonb_build_object('preferences', $2::jsonb), jsonb_build_object('preferences', $2::jsonb || '{"a":1}'),
              '{preferences}', n + 1 from generate_series(1, $3::int) as n`,
      [id, LONG, COUNT],
    );
  });

  afterEach(() => app.close());

  /** Walks through all pages, and returns the ids of their items. */
  const walk = async (path: string, next: (cursor: string) => string) => {
    const ids: number[] = [];
    let pages = 0;
    for (let url = path; url !== ''; pages++) {
      const answer = await app.call(url, { as: ADA });
      const text = await answer.text();
      expect(answer.status, text.slice(0, 200)).to.equal(200);
      expect(text.length).to.be.below(MOST_BYTES);
      const { items, nextCursor } = JSON.parse(text) as {
        items: { id: number }[];
        nextCursor: string | null;
      };
      ids.push(...items.map(({ id }) => id));
      const isEnd = nextCursor === null || items.length === 0;
      if (!isEnd) expect(items.length).to.be.at.least(1);
      url = isEnd ? '' : next(nextCursor);
    }
    expect(pages).to.be.above(2);
    expect(new Set(ids).size).to.equal(ids.length);
    return ids.length;
  };

  for (const [path, extra] of [
    ['/v1/users?limit=200', 1],
    ['/v1/users', 1],
    // Where what is stored in a few bytes would seem short.
    ['/v1/users?limit=100', 1],
    ['/v1/users?limit=200&sort=email&q=example', 1],
    ['/v1/history?limit=200', 1],
    ['/v1/me/history', 1],
  ] as const) {
    it(`have a megabyte at most, and lead to all of them: ${path}`, async () => {
      const join = path.includes('?') ? '&' : '?';
      expect(await walk(path, (cursor) => `${path}${join}cursor=${cursor}`)).to.equal(COUNT + extra);
    });
  }

  it('of the change feed go on behind an entry that fills one alone', async () => {
    // What PostgreSQL prints of it is longer than a page. Such numbers may have come in before they counted with all digits.
    const tiny = JSON.stringify({ numbers: Array.from({ length: 4_000 }, () => 5e-324) });
    const add = (value: string) =>
      app.database.query(
        `insert into changes (actor, user_id, action, before, after, fields, version)
         select 'cli', min(id), 'updated', null, jsonb_build_object('preferences', $1::jsonb), '{preferences}', 900 from users`,
        [value],
      );
    for (const value of [tiny, tiny, '{}', '{}']) await add(value);
    const last = (await app.database.query<{ id: number }>('select max(id)::int as id from changes'))[0]?.id;
    const seen: number[] = [];
    let after = '';
    for (let pages = 0; pages < 50 && !seen.includes(last ?? 0); pages++) {
      const answer = await app.call(`/v1/changes?limit=100${after && `&after=${after}`}`, { as: ADA });
      const { items, nextCursor } = (await answer.json()) as { items: { id: number }[]; nextCursor: string };
      expect(items).not.to.deep.equal([]);
      seen.push(...items.map(({ id }) => id));
      after = nextCursor;
    }
    expect(seen).to.include(last);
    expect(new Set(seen).size).to.equal(seen.length);
  });

  it('have a megabyte at most, and lead to all of them: /v1/changes', async () => {
    const path = '/v1/changes?limit=1000';
    expect(await walk(path, (cursor) => `${path}&after=${cursor}`)).to.equal(COUNT + 1);
  });
});
