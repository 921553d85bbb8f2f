import { expect } from 'chai';
import { User } from '../../src/domain/user.ts';
import { accountView } from '../../src/services/accounts/view.ts';
import { type AccountRow, accountsIn, addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { type TestRequest, testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

type Work = (request: TestRequest) => Promise<User> | User;

describe('a request that writes', () => {
  let app: TestApp;
  let wire: DatabaseProxy;
  let before: AccountRow[];
  /** The handler under test. */
  let work: Work;
  /** The entities that the view received. */
  let shown: User[];

  beforeEach(async () => {
    shown = [];
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    const writes = testEndpoint({
      method: 'POST',
      path: '/v1/work',
      access: 'account',
      handle: (request) => work(request),
      view: (user) => {
        shown.push(user);
        return accountView(user);
      },
    });
    app = await startApp({ database, through: wire.url, extra: [writes] });
    await addAccount(database, 'ada@example.com', {
      name: 'Ada',
      preferences: { theme: 'dark', list: [{}] },
    });
    await addAccount(database, 'grace@example.com', { name: 'Grace' });
    before = await accountsIn(database);
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const asAda = () => app.call('/v1/work', { method: 'POST', as: 'ada@example.com' });
  const errorsLogged = () => app.log.filter(({ level }) => (level as number) >= 50);
  const expectNothingStored = async (errors = 1) => {
    expect(shown).to.deep.equal([]);
    expect(await accountsIn(app.database)).to.deep.equal(before);
    expect(errorsLogged()).to.have.length(errors);
  };

  it('stores what its handler changed, and shows it as stored', async () => {
    work = ({ actor }) => {
      actor.name = 'Countess';
      actor.preferences = { theme: 'light' };
      return actor;
    };
    const response = await asAda();
    expect(response.status).to.equal(200);
    const answer = await response.json();
    const [ada, grace] = await accountsIn(app.database);
    expect(ada).to.deep.include({ name: 'Countess', preferences: { theme: 'light' }, role: 'user' });
    expect(ada?.created_at.toISOString()).to.equal(LONG_AGO);
    expect(answer).to.deep.include({
      name: 'Countess',
      preferences: { theme: 'light' },
      createdAt: LONG_AGO,
      updatedAt: ada?.updated_at.toISOString(),
    });
    expect((answer as { updatedAt: string }).updatedAt > LONG_AGO).to.equal(true);
    expect(grace).to.deep.equal(before[1]);
  });

  it('is flushed once, in one transaction, however many entities it changes', async () => {
    await asAdaWith(({ actor }) => actor);
    wire.reset();
    await asAdaWith(async ({ actor, unit: { em } }) => {
      const grace = await em.findOneOrFail(User, { email: 'grace@example.com' });
      for (const user of [actor, grace]) {
        user.name = 'first';
        user.name = 'second';
        user.promote();
      }
      return actor;
    });
    // Two look-ups (the caller and the other account), an update of each, the first with the begin, the history of both, commit.
    expect(wire.statements()).to.equal(6);
    const rows = await accountsIn(app.database);
    expect(rows.map(({ name, role }) => [name, role])).to.deep.equal([
      ['second', 'admin'],
      ['second', 'admin'],
    ]);
  });

  it('writes nothing when it changes nothing', async () => {
    await asAdaWith(({ actor }) => actor);
    wire.reset();
    await asAdaWith(({ actor }) => {
      actor.name = 'Ada';
      actor.preferences = { list: [{}], theme: 'dark' };
      return actor;
    });
    // The look-up, and the check that the caller still has the right.
    expect(wire.statements()).to.equal(2);
    expect(await accountsIn(app.database)).to.deep.equal(before);
  });

  it('shows a new entity with the values that the database generated', async () => {
    work = ({ unit: { em } }) => {
      const user = new User('New@Example.com');
      em.persist(user);
      return user;
    };
    const answer = await (await asAda()).json();
    const [, , created] = await accountsIn(app.database);
    expect(answer).to.deep.equal({
      id: created?.id,
      email: 'new@example.com',
      name: null,
      role: 'user',
      preferences: {},
      status: 'active',
      storageMode: 'local',
      roleUntil: null,
      version: 1,
      createdAt: created?.created_at.toISOString(),
      updatedAt: created?.updated_at.toISOString(),
      lastSeenAt: null,
    });
  });

  it('stores nothing when its handler throws, whatever it changed before', async () => {
    work = async ({ actor, unit: { em } }) => {
      actor.promote();
      em.persist(new User('new@example.com'));
      em.remove(await em.findOneOrFail(User, { email: 'grace@example.com' }));
      throw new Error('half way');
    };
    await expectProblem(await asAda(), 500, 'internal');
    await expectNothingStored();
  });

  it('stores nothing when the database refuses a part of it: an email that is taken', async () => {
    work = ({ actor, unit: { em } }) => {
      actor.promote();
      const first = new User('new@example.com');
      em.persist([first, new User('GRACE@example.com')]);
      return first;
    };
    await expectProblem(await asAda(), 409, 'email_taken');
    await expectNothingStored(0);
  });

  it('stores nothing when the database refuses a part of it: a value that is not allowed', async () => {
    work = ({ actor, unit: { em } }) => {
      em.persist(new User('new@example.com'));
      actor.storageMode = 'cloud' as never;
      return actor;
    };
    await expectProblem(await asAda(), 500, 'internal');
    await expectNothingStored();
  });

  it('shows nothing when the commit itself fails', async () => {
    await app.database.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'not today'; end $$;
      create constraint trigger refuse after update on users deferrable initially deferred
        for each row execute function refuse()`);
    work = ({ actor }) => {
      actor.promote();
      return actor;
    };
    await expectProblem(await asAda(), 500, 'internal');
    await expectNothingStored();
  });

  it('leaves neither an entity nor a transaction to the next request', async () => {
    await asAdaWith(({ actor }) => {
      actor.name = 'lost';
      throw new Error('half way');
    });
    await asAdaWith(({ actor, unit: { em } }) => {
      expect(em.isInTransaction()).to.equal(false);
      expect(em.getUnitOfWork().getIdentityMap().values()).to.deep.equal([actor]);
      expect(actor.name).to.equal('Ada');
      return actor;
    });
    expect(shown).to.have.length(1);
    expect(await accountsIn(app.database)).to.deep.equal(before);
  });

  function asAdaWith(handler: Work): Promise<Response> {
    work = handler;
    return asAda();
  }
});
