import { expect } from 'chai';
import { type ChangeFilters, changesStatement } from '../../../src/services/history/list.ts';
import type { Position } from '../../../src/services/paging.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { planOf } from '../../support/plans.ts';

const CHANGES = 100_000;
const LIMIT = 50;

/** The most rows that a page may read: a page of index entries for each of the three actions, and the changes themselves. */
const PAGE = 4 * (LIMIT + 1);

/** Half of the changes record accounts that are older than the history; in the other half, one account changes very often. */
const BUSY = { userId: 7, entries: 2_000 };

/** A request that has changed a lot, an import, and one that has changed three accounts. */
const IMPORT = { requestId: 'import', entries: 3_000 };
const SMALL = { requestId: 'request-5' };

/** Every kind of filter value: it matches nearly all rows, a few, none, or only old ones. */
const FILTERS: [filters: ChangeFilters, reads?: number][] = [
  [{}],
  [{ action: 'created' }],
  [{ action: 'updated' }],
  [{ action: 'deleted' }],
  [{ userId: 30_000 }],
  [{ userId: BUSY.userId }],
  [{ userId: 999_999 }],
  [{ actor: 'boot' }],
  [{ actor: 'CLI@example.com' }],
  [{ actor: 'p50@example.com' }],
  [{ actor: 'nobody@example.com' }],
  [{ field: 'role' }],
  [{ field: 'email' }],
  [{ field: 'preferences' }],
  [{ field: 'preferences.theme' }],
  [{ field: 'preferences.old' }],
  [{ field: 'preferences.rare' }],
  [{ field: 'preferences.thme' }],
  // Each mark leads to the change itself.
  [{ field: 'preferences.wide.k1' }, 2 * PAGE],
  [{ field: 'preferences.wide.k1', action: 'updated' }, 2 * PAGE],
  [{ field: 'role', action: 'created' }],
  [{ field: 'role', action: 'updated' }],
  [{ field: 'storageMode', action: 'updated' }],
  [{ field: 'preferences.theme', action: 'created' }],
  [{ field: 'preferences.theme', action: 'deleted' }],
  [{ field: 'preferences.old', action: 'updated' }],
  [{ actor: 'boot', action: 'created' }],
  [{ actor: 'boot', action: 'updated' }],
  [{ actor: 'cli', action: 'updated' }],
  [{ actor: 'cli', action: 'deleted' }],
  [{ actor: 'boot', field: 'role' }],
  [{ actor: 'boot', field: 'role', action: 'updated' }],
  // PostgreSQL scans the entries of the actor and action, or of the account, until the page is full.
  [{ actor: 'p50@example.com', field: 'role', action: 'updated' }, PAGE + 100],
  [{ actor: 'p50@example.com', field: 'preferences.rare' }, PAGE + 100],
  [{ userId: BUSY.userId, action: 'created' }, PAGE + BUSY.entries],
  [{ userId: BUSY.userId, field: 'role' }, PAGE + BUSY.entries],
  [{ userId: BUSY.userId, actor: 'boot', field: 'preferences.rare' }, PAGE + BUSY.entries],
  [{ requestId: IMPORT.requestId }],
  [SMALL],
  [{ requestId: 'nothing' }],
  [{ requestId: IMPORT.requestId, action: 'deleted' }, PAGE + IMPORT.entries],
  [{ requestId: IMPORT.requestId, field: 'role' }, PAGE + IMPORT.entries],
  [{ requestId: IMPORT.requestId, actor: 'cli' }, PAGE + IMPORT.entries],
  [{ requestId: IMPORT.requestId, userId: BUSY.userId }, PAGE + BUSY.entries + IMPORT.entries],
];

const TIMES: Pick<ChangeFilters, 'since' | 'until'>[] = [
  {},
  { since: new Date('2024-01-02T00:00:00Z') },
  { until: new Date('2024-01-01T12:00:00Z') },
  { since: new Date('2024-01-01T20:00:00Z'), until: new Date('2024-01-01T20:30:00Z') },
  { since: new Date('2030-01-01T00:00:00Z') },
];

describe('a history of 100,000 changes', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createMigratedDatabase();
    await database.query(
      `with given as (
         select i, i <= ${CHANGES / 2} as old, i % 25 = 1 as busy, i % 5000 = 3 as rare, i % 100 = 1 as new, i % 500 = 2 as gone
           from generate_series(1, ${CHANGES}) i
       )
       insert into changes (at, request_id, actor, user_id, action, before, after, fields, version)
       select timestamptz '2024-01-01' + i * interval '1 second',
              case when i between 65000 and ${65_000 + IMPORT.entries} then 'import' when not old then 'request-' || i / 3 % 10000 end,
              case when old then 'boot' when i % 10 = 0 then 'cli' else 'p' || i % 1000 || '@example.com' end,
              case when not old and busy then ${BUSY.userId} else i % ${CHANGES / 2} end,
              case when old or new then 'created' when gone then 'deleted' else 'updated' end, '{}', '{}',
              case when old or new or gone then '{email,name,role,status,storageMode,preferences}'
                   when i % 50 = 4 then '{preferences,preferences.wide,preferences.wide.k1}'
                   when rare then '{role,preferences,preferences.rare}'
                   when i < ${0.6 * CHANGES} then '{preferences,preferences.old}'
                   else '{preferences,preferences.theme}' end::text[], 1
         from given`,
    );
    await database.query(
      `insert into change_fields (field, action, at, change_id)
       select case field when 'preferences.wide.k1' then '*preferences.wide' else field end, action, at, id
         from changes cross join unnest(fields) as field
        where action = 'updated' or field like 'preferences.%'`,
    );
    await database.query('vacuum analyze changes, change_fields');
  });

  after(() => database.drop());

  const positions: (Position | undefined)[] = [undefined, ['2024-01-01 19:26:40.000001+00', 70_000]];

  for (const [filters, reads = PAGE] of FILTERS) {
    it(`reads at most a page through its indexes, at the start and far inside: ${JSON.stringify(filters)}`, async () => {
      for (const times of TIMES) {
        for (const after of positions) {
          const steps = await planOf(
            database,
            changesStatement({ ...filters, ...times, size: LIMIT + 1, after }),
          );
          const where = `${JSON.stringify(times)} after ${after}: ${steps.map((step) => step['Node Type']).join(' > ')}`;
          const scans = steps.filter(
            (step) => step['Node Type'].includes('Scan') && step.Plans === undefined,
          );
          expect(scans, where).not.to.deep.equal([]);
          const read = scans.map(
            (step) => (step['Actual Rows'] + (step['Rows Removed by Filter'] ?? 0)) * step['Actual Loops'],
          );
          expect(
            read.reduce((sum, rows) => sum + rows, 0),
            where,
          ).to.be.at.most(reads);
        }
      }
    });
  }
});
