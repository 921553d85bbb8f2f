import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { Refusal } from '../../src/domain/refusal.ts';
import { User } from '../../src/domain/user.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

describe('an account', () => {
  it('normalizes its email', () => {
    expect(new User('  ＡDA@Example.com ').email).to.equal('ada@example.com');
  });

  for (const email of ['', 'ada', 'ada@localhost', `${'a'.repeat(244)}@example.com`, 'ada@example.com\nx']) {
    it(`refuses the invalid email ${JSON.stringify(email.slice(0, 40))}`, () => {
      expect(() => new User(email))
        .to.throw(Refusal, 'This is not a valid email address.')
        .with.property('code', 'email_invalid');
    });
  }

  it('can be promoted once', () => {
    const user = new User('ada@example.com');
    expect(user.promote()).to.equal(true);
    expect(user.role).to.equal('admin');
    expect(user.promote()).to.equal(false);
    expect(user.role).to.equal('admin');
  });

  describe('in the database', () => {
    let app: TestApp;

    beforeEach(async () => {
      app = await startApp();
    });

    afterEach(() => app.close());

    const store = (user: User) => unitsOfWork(app.orm, COMMAND_LINE)(async ({ em }) => void em.persist(user));

    it('has the role user, no name, no preferences and local storage by default', async () => {
      await store(new User('Ada@example.com'));
      const [row] = await accountsIn(app.database);
      expect(row).to.include({
        email: 'ada@example.com',
        name: null,
        role: 'user',
        preferences: null,
        storage_mode: 'local',
      });
      expect(Math.abs(Number(row?.created_at) - Number(row?.updated_at))).to.be.below(1000);
    });

    it('is an admin if it was promoted before', async () => {
      const user = new User('ada@example.com');
      user.promote();
      await store(user);
      expect((await accountsIn(app.database))[0]).to.include({ role: 'admin' });
    });

    it('keeps every character of a long non-ASCII email', async () => {
      const email = `${'💚'.repeat(243)}@example.com`;
      await store(new User(email));
      expect(await app.orm.em.fork().findOne(User, { email })).to.include({ email });
    });
  });
});
