import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import type { ConnectionMode } from '../../src/database/connection.ts';
import { User } from '../../src/domain/user.ts';
import { accountLookUp } from '../../src/store/account-look-up.ts';
import { batchedLookUps } from '../../src/store/batched-look-ups.ts';
import { addAccount } from '../support/accounts.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { testStore } from '../support/store.ts';

const signer = (email: string) => ({ email, issuer: 'https://id.example.com', subject: undefined });

describe('look-ups that requests share', () => {
  const store = testStore();
  let wire: DatabaseProxy;

  const open = (mode?: ConnectionMode) =>
    store.reopen({
      ...ormOptions({ ...store.database, url: wire.url, poolMax: 10 }, mode),
      logger: () => undefined,
    });

  beforeEach(async () => {
    wire = await startProxy(store.database.url);
    await addAccount(store.database, 'ada@example.com', { preferences: { theme: 'dark' } });
    await addAccount(store.database, 'grace@example.com');
    await open();
  });
  afterEach(() => wire.close());

  for (const mode of ['direct', 'pooled'] as const) {
    it(`find the accounts of all signers of a turn in one statement, each as an entity of its own (${mode})`, async () => {
      await open(mode);
      const find = accountLookUp(store.orm, batchedLookUps(store.orm));
      await find(store.em, signer('ada@example.com'));
      wire.reset();
      const emails = ['ada', 'nobody', 'grace', 'ada'].map((name) => `${name}@example.com`);
      const found = await Promise.all(emails.map((email) => find(store.em, signer(email))));
      expect(wire.statements()).to.equal(1);
      const accounts = found.map((each) => each?.account);
      expect(accounts.map((account) => account?.email)).to.deep.equal([
        'ada@example.com',
        undefined,
        'grace@example.com',
        'ada@example.com',
      ]);
      const [first, , , second] = accounts as [User, undefined, User, User];
      first.preferences = { theme: 'light' };
      expect(second.preferences).to.deep.equal({ theme: 'dark' });
    });
  }

  it('ask again in the next turn, and so see what has been changed meanwhile', async () => {
    const find = accountLookUp(store.orm, batchedLookUps(store.orm));
    const nameOfAda = async () => (await find(store.em, signer('ada@example.com')))?.account.name;
    const before = await nameOfAda();
    await store.database.query(`update users set name = 'Countess' where email = 'ada@example.com'`);
    expect([before, await nameOfAda()]).to.deep.equal([null, 'Countess']);
  });

  it('give an entity that its EntityManager manages as one that it has read itself', async () => {
    const find = accountLookUp(store.orm, batchedLookUps(store.orm));
    const { em } = store;
    const found = await find(em, signer('ada@example.com'));
    expect(await em.findOneOrFail(User, { email: 'ada@example.com' })).to.equal(found?.account);
    const changes = em.getUnitOfWork();
    changes.computeChangeSets();
    expect(changes.getChangeSets()).to.deep.equal([]);
    (found as { account: User }).account.name = 'Countess';
    changes.computeChangeSets();
    expect(changes.getChangeSets().map(({ payload }) => Object.keys(payload))).to.deep.equal([
      ['name', 'updatedAt'],
    ]);
  });

  it('fail for each of the requests where their statement fails, and for no later one', async () => {
    const text =
      'select place::int, 1 / divisor as quotient from unnest($1::int[]) with ordinality as asked (divisor, place)';
    const divide = batchedLookUps(store.orm)<number, { place: number; quotient: number }>({
      name: 'quotients',
      text,
      values: (divisors) => [[...divisors]],
    });
    const outcomes = await Promise.allSettled([divide(1), divide(0), divide(1)]);
    expect(
      outcomes.map((each) => each.status === 'rejected' && (each.reason as Error).message),
    ).to.deep.equal(Array(3).fill('division by zero'));
    expect(await divide(1)).to.include({ quotient: 1 });
  });

  it('take several statements where more arrive in a turn than one may answer', async () => {
    const find = accountLookUp(store.orm, batchedLookUps(store.orm));
    wire.reset();
    const found = await Promise.all(
      Array.from({ length: 250 }, () => find(store.em, signer('ada@example.com'))),
    );
    expect(found.filter((each) => each?.account.email === 'ada@example.com')).to.have.length(250);
    expect(wire.statements()).to.equal(3);
  });
});
