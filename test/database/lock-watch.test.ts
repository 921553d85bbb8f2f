import { expect } from 'chai';
import { BLOCKERS, type Session } from '../../src/database/lock-watch.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

describe('the sessions that work waits for', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(() => database.drop());

  it('are never the one that looks for them, whose snapshot an index built CONCURRENTLY waits for', async () => {
    const watch = await database.connect();
    await watch.query('begin isolation level repeatable read; select');
    const builder = (await database.connect()) as Session;
    const built = builder.query('create index concurrently on users (name)');
    await until('the index to wait', async () => {
      const waiting = `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`;
      return (await database.query(waiting, [builder.processID])).length > 0;
    });
    expect(await database.query(BLOCKERS, [[builder.processID]])).to.have.length(1);
    expect((await watch.query(BLOCKERS, [[builder.processID]])).rows).to.deep.equal([]);
    await watch.query('rollback');
    await built;
  });
});
