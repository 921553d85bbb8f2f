import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { addAccount } from '../support/accounts.ts';
import { testStore } from '../support/store.ts';

describe('a replayed unit of work', () => {
  const store = testStore();

  it('sees that its account has been deleted since the last attempt', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    const meanwhile = [
      'update users set version = version + 1 where id = $1',
      'delete from users where id = $1',
    ];
    const found: boolean[] = [];
    const outcome = await store.as(COMMAND_LINE)(async (unit) => {
      const account = await unit.em.findOne(User, { id });
      found.push(account !== null);
      if (account === null) return 'gone';
      await store.database.query(meanwhile.shift() as string, [id]);
      await unit.claim(account);
      account.name = 'Ada';
      return 'changed';
    });
    expect(outcome).to.equal('gone');
    expect(found).to.deep.equal([true, true, false]);
  });
});
