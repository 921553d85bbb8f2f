import { expect } from 'chai';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';

describe('a lock that a test leaves behind', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createMigratedDatabase();
  });

  after(() => database.drop());

  for (const which of ['the first', 'the next'])
    it(`is gone after it: ${which}`, async () => {
      const session = await database.connect();
      const { rows } = await session.query('select pg_try_advisory_lock(1) as mine');
      expect(rows).to.deep.equal([{ mine: true }]);
    });
});
