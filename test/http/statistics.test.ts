import { expect } from 'chai';
import { calendarOf } from '../../src/services/statistics/calendar.ts';
import { COUNT_CAP, DAYS } from '../../src/services/statistics/days.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { planOf } from '../support/plans.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'root@example.com';
const ADA = 'ada@example.com';

interface Statistics {
  readonly timeZone: string;
  readonly totals: Record<string, number | boolean>;
  readonly days: {
    readonly date: string;
    readonly created: number;
    readonly changes: number;
    readonly refused: number | null;
    readonly capped: boolean;
  }[];
  readonly weeks: { readonly date: string; readonly lastSeen: number; readonly capped: boolean }[];
}

describe('counts by day', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
    await app.database.query(`update users set status = 'suspended' where email = $1`, [ADA]);
    // A minute before and after midnight in Berlin, which is at 22:00 UTC in summer.
    await app.database.query(
      `insert into users (email, created_at) values ('a@example.com', '2026-07-01 21:59:00+00'), ('b@example.com', '2026-07-01 22:01:00+00')`,
    );
    await app.database.query(
      `insert into changes (at, actor, user_id, action, after, fields, version)
       select timestamptz '2026-07-01 22:30:00+00' + i * interval '1 minute', 'test', 999, 'updated', '{}', '{name}', 2
         from generate_series(1, 3) i`,
    );
    await app.database.query(
      `update sightings set last_seen_at = '2026-07-05 21:00:00+00' from users where id = user_id and email = 'a@example.com'`,
    );
  });

  after(() => app.close());

  const get = (query = '', as = ADMIN) => app.call(`/v1/statistics/days${query}`, { as });
  const counts = async (query: string) => {
    const response = await get(query);
    const text = await response.text();
    expect(response.status, text).to.equal(200);
    return JSON.parse(text) as Statistics;
  };

  it('have the days and weeks of the reader, and totals', async () => {
    const berlin = await counts('?since=2026-06-30&until=2026-07-06&timeZone=Europe/Berlin');
    expect(berlin.timeZone).to.equal('Europe/Berlin');
    expect(berlin.days.map(({ date, created, changes }) => [date, created, changes])).to.deep.equal([
      ['2026-06-30', 0, 0],
      ['2026-07-01', 1, 0],
      ['2026-07-02', 1, 3],
      ['2026-07-03', 0, 0],
      ['2026-07-04', 0, 0],
      ['2026-07-05', 0, 0],
      ['2026-07-06', 0, 0],
    ]);
    expect(berlin.weeks).to.deep.equal([
      { date: '2026-06-29', lastSeen: 1, capped: false },
      { date: '2026-07-06', lastSeen: 0, capped: false },
    ]);
    expect(berlin.totals).to.deep.equal({ accounts: 4, admins: 1, suspended: 1, capped: false });
    const utc = await counts('?since=2026-07-01&until=2026-07-02');
    expect(utc.days.map(({ created, changes }) => [created, changes])).to.deep.equal([
      [2, 3],
      [0, 0],
    ]);
    expect(utc.timeZone).to.equal('UTC');
    const auckland = await counts('?since=2026-07-05&until=2026-07-06&timeZone=Pacific/Auckland');
    expect(auckland.weeks.map(({ date, lastSeen }) => [date, lastSeen])).to.deep.equal([
      ['2026-06-29', 0],
      ['2026-07-06', 1],
    ]);
  });

  it('are of the last thirty days by default, with the refused sign-ins that are kept', async () => {
    await expectProblem(await app.call('/v1/me', { as: 'nobody@example.com' }), 403, 'account_required');
    const { days } = await counts('');
    expect(days).to.have.length(30);
    expect(days.at(-1)?.refused).to.equal(1);
    expect((await counts('?since=2026-01-01&until=2026-01-01')).days[0]?.refused).to.equal(null);
  });

  it('stop at a cap, and say so', async () => {
    await app.database.query(
      `insert into users (email, created_at)
       select 'n' || i || '@many.example', '2026-05-05 12:00:00+00' from generate_series(1, ${COUNT_CAP + 5}) i`,
    );
    const { days } = await counts('?since=2026-05-04&until=2026-05-05');
    expect(days.map(({ created, capped }) => [created, capped])).to.deep.equal([
      [0, false],
      [COUNT_CAP, true],
    ]);
  });

  it('read no more than the cap of each, from the indexes alone, however much there is', async () => {
    const many = COUNT_CAP + 5_000;
    await app.database.query(
      `insert into changes (at, actor, user_id, action, after, fields, version)
       select timestamptz '2026-04-04 12:00:00+00', 'test', 999, action, '{}', '{name}', 2
         from generate_series(1, ${many}) i, unnest(array['created', 'updated', 'deleted']) action`,
    );
    await app.database.query(
      `insert into users (email, created_at)
       select 'm' || i || '@many.example', '2026-04-04 12:00:00+00' from generate_series(1, ${many}) i`,
    );
    await app.database.query('vacuum (analyze) users');
    await app.database.query('vacuum (analyze) changes');
    const days = ['2026-04-03', '2026-04-04', '2026-04-05'];
    const values = [days.slice(0, 2), days.slice(1)];
    const steps = await planOf(app.database, { text: DAYS, values });
    const scans = steps.filter(
      ({ 'Node Type': type }) => /Scan$/.test(type) && !/Function|Subquery/.test(type),
    );
    const changes = scans.filter(({ 'Node Type': type }) => type !== 'Index Only Scan');
    // Refused sign-ins are few, and may be read as a whole.
    expect(changes.filter(({ 'Relation Name': table }) => table !== 'refused_sign_ins')).to.deep.equal([]);
    const read = scans.reduce((sum, { 'Actual Rows': rows, 'Actual Loops': loops }) => sum + rows * loops, 0);
    expect(read).to.be.within(2 * COUNT_CAP, 2 * (COUNT_CAP + 1) + 10);
    const [, day] = (await counts('?since=2026-04-03&until=2026-04-04')).days;
    expect(day).to.include({ created: COUNT_CAP, changes: COUNT_CAP, capped: true });
  });

  it('refuse time zones, dates and ranges that are none', async () => {
    for (const query of [
      'timeZone=Mars/Olympus',
      'timeZone=',
      'timeZone=Europe%2FBerlin%27--',
      'since=2026-02-30',
      'since=2026-1-1',
      'since=2026-02-02&until=2026-02-01',
      'since=2026-01-01&until=2026-04-03',
      'until=0001-01-01',
      'until=9999-12-31',
      'days=3',
    ]) {
      await expectProblem(await get(`?${query}`), 400, 'invalid_query');
    }
    await expectProblem(await get('', ADA), 403, 'account_suspended');
    await expectProblem(await get('', 'a@example.com'), 403, 'forbidden');
  });

  it('are for service tokens that may read accounts and history', async () => {
    const token = async (name: string, scopes: string[]) => {
      const response = await app.call('/v1/service-tokens', {
        method: 'POST',
        as: ADMIN,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name, scopes, expiresAt: null }),
      });
      return ((await response.json()) as { token: string }).token;
    };
    const asService = async (name: string, scopes: string[]) =>
      app.call('/v1/statistics/days', { headers: { Authorization: `Bearer ${await token(name, scopes)}` } });
    expect((await asService('both', ['users:read', 'history:read'])).status).to.equal(200);
    await expectProblem(await asService('one', ['users:read']), 403, 'forbidden');
  });
});

describe('the calendar of a time zone', () => {
  const hours = (timeZone: string, date: string) => {
    const [day] = calendarOf(timeZone)?.days(date, date) ?? [];
    return day && [day.begins.toISOString(), (day.ends.getTime() - day.begins.getTime()) / 3_600_000];
  };

  it('has days of 23 and 25 hours, and days that begin at one', () => {
    expect(hours('Europe/Berlin', '2026-03-29')).to.deep.equal(['2026-03-28T23:00:00.000Z', 23]);
    expect(hours('Europe/Berlin', '2026-10-25')).to.deep.equal(['2026-10-24T22:00:00.000Z', 25]);
    // In Cairo, the clocks go forward at midnight.
    expect(hours('Africa/Cairo', '2026-04-24')).to.deep.equal(['2026-04-23T22:00:00.000Z', 23]);
    expect(hours('Pacific/Kiritimati', '2026-01-01')).to.deep.equal(['2025-12-31T10:00:00.000Z', 24]);
    expect(hours('Etc/GMT+12', '2026-01-01')).to.deep.equal(['2026-01-01T12:00:00.000Z', 24]);
  });

  it('has weeks that begin on Mondays, across a year', () => {
    const weeks = calendarOf('UTC')?.weeks('2026-01-01', '2026-01-12') ?? [];
    expect(weeks.map(({ date }) => date)).to.deep.equal(['2025-12-29', '2026-01-05', '2026-01-12']);
  });

  it('has days that follow each other without a gap in every time zone', () => {
    for (const timeZone of Intl.supportedValuesOf('timeZone')) {
      const days = calendarOf(timeZone)?.days('2026-03-01', '2026-04-30') ?? [];
      for (const [at, { begins, ends }] of days.entries()) {
        expect(ends > begins, `${timeZone} ${begins.toISOString()}`).to.equal(true);
        if (at > 0) expect(begins, timeZone).to.deep.equal(days[at - 1]?.ends);
      }
    }
  });
});
