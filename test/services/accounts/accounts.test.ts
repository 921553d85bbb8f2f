import { expect } from 'chai';
import { COMMAND_LINE } from '../../../src/domain/author.ts';
import type { Preferences } from '../../../src/domain/preferences.ts';
import { accountByEmail, changeAccount, setPreferences } from '../../../src/services/accounts/accounts.ts';
import { accountsIn, addAccount } from '../../support/accounts.ts';
import { testStore } from '../../support/store.ts';

describe('the preferences of an account', () => {
  const store = testStore();

  const rules = { maxBytes: 1_000 };
  const begin = (preferences: Preferences | null) =>
    addAccount(store.database, 'ada@example.com', { preferences });
  const write = (how: 'patch' | 'put', preferences: Preferences) =>
    store.as(COMMAND_LINE)(async (unit) => {
      const account = await accountByEmail(unit.em, 'ada@example.com');
      if (how === 'put') setPreferences(account, preferences, rules);
      else changeAccount(account, { preferences }, rules);
    });
  const stored = async () =>
    (await accountsIn(store.database)).map(({ preferences, version }) => [preferences, version]);
  const changes = () => store.database.query("select before, after from changes where action = 'updated'");

  for (const [had, how, given] of [
    [null, 'put', {}],
    [null, 'patch', {}],
    [null, 'patch', { theme: null }],
    [{ a: 1, b: { c: [1], d: 2 } }, 'put', { b: { d: 2, c: [1] }, a: 1 }],
    [{ a: 1 }, 'patch', { a: 1 }],
    [{ a: 0 }, 'put', { a: -0 }],
  ] as const) {
    it(`stay ${JSON.stringify(had)} after a ${how} of ${JSON.stringify(given)}`, async () => {
      await begin(had);
      await write(how, given);
      expect(await stored()).to.deep.equal([[had, 1]]);
      expect(await changes()).to.deep.equal([]);
    });
  }

  it('lose a null from when nulls were stored, and the history records it', async () => {
    await begin({ a: null, b: { c: null, d: 1 } });
    await write('put', { b: { d: 1 } });
    expect(await stored()).to.deep.equal([[{ b: { d: 1 } }, 2]]);
    const patch = { preferences: { a: null, b: { c: null } } };
    expect(await changes()).to.deep.equal([{ before: patch, after: patch }]);
  });
});
