import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from '../support/accounts.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';

describe('a unit of work that is done again', () => {
  let database: TestDatabase;
  let orm: MikroORM;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    orm = await MikroORM.init(ormOptions(database));
  });

  afterEach(async () => {
    await orm.close(true);
    await database.drop();
  });

  it('does not take for done what it does to an account that somebody deletes meanwhile', async () => {
    const { id } = await addAccount(database, 'ada@example.com');
    const meanwhile = [
      'update users set version = version + 1 where id = $1',
      'delete from users where id = $1',
    ];
    const found: boolean[] = [];
    const outcome = await unitsOfWork(
      orm,
      COMMAND_LINE,
    )(async ({ em, claim }) => {
      const account = await em.findOne(User, { id });
      found.push(account !== null);
      if (account === null) return 'gone';
      await database.query(meanwhile.shift() as string, [id]);
      await claim(account);
      account.name = 'Ada';
      return 'changed';
    });
    expect(outcome).to.equal('gone');
    expect(found).to.deep.equal([true, true, false]);
  });
});
