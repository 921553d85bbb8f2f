import { expect } from 'chai';
import { clientOf } from '../../src/database/connection.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';

const RENAME = {
  name: 'rename',
  text: 'update users set name = $1 where email = $2 returning email, name',
  values: ['Ada', 'ada@example.com'],
};

describe('a statement that limits its locks', () => {
  let database: TestDatabase;
  let client: ReturnType<typeof clientOf>;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    await database.query(`insert into users (email) values ('ada@example.com')`);
    client = clientOf({ ...database, lockTimeoutMs: 9_000 }, 'direct');
    await client.connect();
  });

  afterEach(async () => {
    await client.end();
    await database.drop();
  });

  /** A prepared statement with its limit, which the driver's types do not know. */
  const rename = (lockTimeoutMs = 50) =>
    client.query({ ...RENAME, lockTimeoutMs } as unknown as { text: string; values: string[] });
  const lock = async (statement: string) => {
    const holder = await database.connect();
    await holder.query('begin');
    await holder.query(statement);
    return () => holder.query('rollback');
  };

  it('answers with its own rows, and leaves the limit of the session as it was', async () => {
    for (let n = 0; n < 3; n++) {
      const { rows, rowCount, command } = await rename();
      expect({ rows, rowCount, command }).to.deep.equal({
        rows: [{ email: 'ada@example.com', name: 'Ada' }],
        rowCount: 1,
        command: 'UPDATE',
      });
      const session = await client.query('show lock_timeout');
      expect(session.rows).to.deep.equal([{ lock_timeout: '9s' }]);
    }
  });

  it('fails with the stack of whoever has asked', async () => {
    const observed = clientOf({ ...database, onStatement: () => () => undefined }, 'direct');
    await observed.connect();
    for (const asked of [client, observed]) {
      const ask = async () => {
        await asked.query('select nonsense');
      };
      const error: Error = await ask().then(
        () => expect.fail('It did not fail.'),
        (thrown: Error) => thrown,
      );
      expect(error.stack).to.match(/at async ask .*limited-client\.test\.ts/);
    }
    await observed.end();
  });

  it('is carried out before the statement that is sent behind it, also the first time', async () => {
    for (const name of ['Ada', 'Bob']) {
      const [{ rows }, next] = await Promise.all([
        client.query({
          ...RENAME,
          values: [name, 'ada@example.com'],
          lockTimeoutMs: 50,
        } as unknown as { text: string; values: string[] }),
        client.query('select name from users'),
      ]);
      expect(rows).to.deep.equal([{ email: 'ada@example.com', name }]);
      expect(next.rows).to.deep.equal([{ name }]);
    }
  });

  for (const [what, statement] of [
    ['a row', 'select from users for update'],
    ['a table', 'lock table users in share mode'],
  ] as const)
    it(`gives up at its limit for ${what}, before and after it is prepared, and writes nothing`, async () => {
      for (const round of ['first', 'second']) {
        const unlock = await lock(statement);
        const error = await rename().then(
          () => undefined,
          (error: { code?: string }) => error,
        );
        expect(error?.code, round).to.equal('55P03');
        await unlock();
        expect((await database.query('select name from users'))[0]).to.deep.equal({ name: null });
        expect((await rename()).rows).to.have.length(1);
        await database.query('update users set name = null');
      }
    });

  it('waits as long as it says', async () => {
    const unlock = await lock('lock table users in share mode');
    const renamed = rename(8_000);
    setTimeout(unlock, 300);
    expect((await renamed).rows).to.have.length(1);
  });

  it('is one transaction with its limit: others see all of it or nothing', async () => {
    const failed = await client
      .query({
        name: 'both',
        text: `with named as (update users set name = 'Bob' returning id) select 1 / (id - id) from named where $1 = 1`,
        values: [1],
        lockTimeoutMs: 50,
      } as unknown as { text: string; values: number[] })
      .catch((error: { code?: string }) => error);
    expect((failed as { code?: string }).code).to.equal('22012');
    expect(await database.query('select name from users')).to.deep.equal([{ name: null }]);
    expect((await client.query('show lock_timeout')).rows).to.deep.equal([{ lock_timeout: '9s' }]);
  });
});
