import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../../mikro-orm.config.ts';
import {
  type AccountFilters,
  COUNT_CAP,
  countStatement,
  pageStatement,
  SORTS,
} from '../../../src/services/accounts/list.ts';
import type { Position } from '../../../src/services/paging.ts';
import type { Statement } from '../../../src/store/statements.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { type PlanNode, planOf } from '../../support/plans.ts';

const ACCOUNTS = 100_000;

/** Every kind of filter value: it matches nearly all rows, a few, two, or none. */
const FILTERS: AccountFilters[] = [
  {},
  { role: 'user' },
  { role: 'admin' },
  { status: 'active' },
  { status: 'suspended' },
  { storageMode: 'local' },
  { storageMode: 'account' },
  { email: 'ADA.50000@example.com' },
  { email: 'nobody@example.com' },
  { q: 'a' },
  { q: 'zq' },
  { q: '___' },
  { q: '🎉🎉🎉🎉' },
  { q: 'example' },
  { q: 'ada.5000' },
  { q: 'nowhere to be found' },
  { role: 'user', status: 'active', storageMode: 'local' },
  { role: 'admin', status: 'suspended' },
  { role: 'admin', q: 'zq' },
  { role: 'user', q: 'example' },
  { status: 'suspended', storageMode: 'account', q: 'hopper' },
  { ids: [7, 33_333, 50_000, 2_000_000] },
  { ids: [3, 1007, 99_999], status: 'active' },
  { domain: 'Example.COM' },
  { domain: 'rare.example' },
  { domain: 'nowhere.example' },
  { domain: 'example.com', status: 'suspended' },
  { createdSince: new Date('2024-01-02T03:46:00Z') },
  { createdBefore: new Date('2024-01-01T12:00:00Z'), role: 'user' },
  { seenSince: new Date('2026-01-01T00:00:00Z') },
  { seenSince: new Date('2024-01-15T00:00:00Z') },
  { seenBefore: new Date('2024-01-15T00:00:00Z') },
  { seenBefore: new Date('2020-01-01T00:00:00Z') },
  { seenBefore: new Date('2024-01-15T00:00:00Z'), role: 'admin' },
  { seenSince: new Date('2024-01-15T00:00:00Z'), domain: 'rare.example' },
];

describe('a list of 100,000 accounts', () => {
  let database: TestDatabase;
  let orm: MikroORM;

  before(async () => {
    database = await createMigratedDatabase();
    orm = await MikroORM.init(ormOptions(database));
    await database.query(
      `insert into users (email, name, role, status, storage_mode, created_at)
       select (array['ada', 'grace', 'alan', 'edsger'])[1 + i % 4] || '.' || i || '@' || case when i % 5000 = 9 then 'rare.example' else 'example.com' end,
              case when i % 10 > 0 then (array['Ada Lovelace', 'Grace Hopper', 'Alan Turing'])[1 + i % 3] end,
              case when i in (33333, 66666) then 'admin' else 'user' end,
              case when i % 1000 = 7 then 'suspended' else 'active' end,
              case when i % 100 = 3 then 'account' else 'local' end,
              timestamptz '2024-01-01' + i * interval '1 second'
         from generate_series(1, ${ACCOUNTS}) i`,
    );
    // One in a hundred was never seen, and the others at all times of a month.
    await database.query(
      `update sightings set last_seen_at = timestamptz '2024-01-01' + user_id * 7919 % 720 * interval '1 hour' where user_id % 100 > 0`,
    );
    await database.query('vacuum full sightings');
    await database.query('vacuum analyze users');
    await database.query('vacuum analyze sightings');
  });

  after(async () => {
    await orm.close(true);
    await database.drop();
  });

  const plan = (statement: Statement) => planOf(database, statement);
  const sorted = (steps: readonly PlanNode[]) =>
    steps
      .filter((step) => step['Node Type'].includes('Sort'))
      .map((step) => Math.max(0, ...(step.Plans ?? []).map((below) => below['Actual Rows'])));

  const positions = (sort: string): (Position | undefined)[] => [
    undefined,
    sort.endsWith('email') ? ['edsger.50003@example.com'] : ['2024-01-01 13:53:20.000001+00', 50_000],
  ];

  for (const filters of FILTERS) {
    it(`reads a page through indexes in each order, at the start and far inside: ${JSON.stringify(filters)}`, async () => {
      for (const sort of SORTS) {
        for (const after of positions(sort)) {
          const steps = await plan(pageStatement(orm, { ...filters, sort, size: 51, after }));
          const kinds = steps.map((step) => step['Node Type']);
          const where = `${sort} after ${after}: ${kinds.join(' > ')}`;
          expect(kinds, where).not.to.include('Seq Scan');
          for (const rows of sorted(steps)) expect(rows, where).to.be.below(ACCOUNTS / 100);
        }
      }
    });

    it(`counts through indexes, and stops at the cap: ${JSON.stringify(filters)}`, async () => {
      const steps = await plan(countStatement(orm, filters));
      const kinds = steps.map((step) => step['Node Type']);
      expect(kinds, kinds.join(' > ')).not.to.include('Seq Scan');
      for (const rows of sorted(steps)) expect(rows, kinds.join(' > ')).to.be.below(ACCOUNTS / 100);
      const limited = steps.find((step) => step['Node Type'] === 'Limit');
      expect(limited?.['Actual Rows']).to.be.at.most(COUNT_CAP + 1);
    });
  }
});
