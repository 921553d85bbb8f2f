import { expect } from 'chai';
import pino from 'pino';
import type { RateLimiterAbstract, RateLimiterPostgres } from 'rate-limiter-flexible';
import { ormOptions } from '../../mikro-orm.config.ts';
import { BoundedMemory, MAX_KEYS } from '../../src/store/rate-limit-memory.ts';
import { rateLimits } from '../../src/store/rate-limits.ts';
import { testStore } from '../support/store.ts';

describe('rate limit counters in memory', () => {
  it('are bounded in number: the least recently used are dropped', async () => {
    const limit = new BoundedMemory({ keyPrefix: 'failures', points: 30, duration: 60 });
    await limit.penalty('first');
    for (let key = 0; key < 2 * MAX_KEYS; key++) {
      await limit.penalty(key);
      // A client that keeps failing.
      if (key % 1000 === 0) await limit.penalty('busy');
    }
    expect(limit.dump().storage).to.have.length(MAX_KEYS);
    expect((await limit.penalty('busy')).consumedPoints).to.equal(21);
    expect((await limit.penalty('first')).consumedPoints).to.equal(1);
  });
});

describe('rate limit counters in the database', () => {
  const store = testStore();

  const limitsIn = async () => {
    const settings = { failures: 3, requests: 5, historyBytes: 0, store: 'database' } as const;
    const { failures, requests } = await rateLimits(settings, store.orm, pino({ level: 'silent' }));
    return [failures, requests] as [RateLimiterAbstract, RateLimiterAbstract];
  };

  it('are rows keyed by limit and client', async () => {
    const [failures, requests] = await limitsIn();
    await failures.penalty('2001:db8:1:2::/64');
    await requests.penalty(7);
    await requests.penalty(7);
    const rows = await store.database.query<{ expire: string }>('select * from rate_limits order by key');
    expect(rows.map(({ expire: _, ...row }) => row)).to.deep.equal([
      { key: 'failures:2001:db8:1:2::/64', points: 1 },
      { key: 'requests:7', points: 2 },
    ]);
    for (const { expire } of rows) expect(Number(expire) - Date.now()).to.be.within(0, 60_000);
  });

  it('use a prepared statement, except behind a pooler', async () => {
    for (const [mode, count] of [
      ['pooled', 0],
      ['direct', 1],
    ] as const) {
      await store.reopen({
        ...ormOptions({ ...store.database, poolMax: 10 }, mode),
        logger: () => undefined,
      });
      const [failures] = await limitsIn();
      await failures.penalty('203.0.113.5');
      // The pool has opened one connection, so this query sees its prepared statements.
      const prepared = await store.orm.em.execute(
        `select 1 from pg_prepared_statements where name like 'rate_limits:%'`,
      );
      expect(prepared, mode).to.have.length(count);
    }
  });

  it('are deleted an hour after they expire', async () => {
    const [failures] = await limitsIn();
    await failures.penalty('203.0.113.5');
    await failures.penalty('203.0.113.6');
    await store.database.query(`update rate_limits set expire = 0 where key = 'failures:203.0.113.5'`);
    // The call that the timer makes.
    await (failures as RateLimiterPostgres & { clearExpired(expire: number): Promise<void> }).clearExpired(
      Date.now() - 3_600_000,
    );
    expect(await store.database.query('select key from rate_limits')).to.deep.equal([
      { key: 'failures:203.0.113.6' },
    ]);
  });
});
