import { expect } from 'chai';
import type { Author } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { Unit } from '../../src/store/unit.ts';
import { accountsIn } from '../support/accounts.ts';
import { testStore } from '../support/store.ts';

const ADA: Author = { actorId: 7, actor: 'ada@example.com', requestId: 'request-1' };

describe('the history recorder', () => {
  const store = testStore();

  const asAda = <T>(work: (unit: Unit) => Promise<T>) => store.as(ADA)(work);
  const invite = (...emails: string[]) =>
    asAda(async ({ em }) => {
      const users = emails.map((email) => new User(email));
      em.persist(users);
      return users;
    });
  const recorded = () =>
    store.database.query<Record<string, unknown>>(
      `select changes.*, transaction_id::text, at = users.updated_at as "hasSameTime"
         from changes left join users on users.id = user_id order by changes.id`,
    );

  it('records every field of a new account', async () => {
    const [user] = await invite('grace@example.com');
    const [row, ...more] = await recorded();
    expect(more).to.deep.equal([]);
    expect(row).to.deep.include({
      actor_id: 7,
      actor: 'ada@example.com',
      request_id: 'request-1',
      user_id: user?.id,
      action: 'created',
      before: null,
      after: {
        email: 'grace@example.com',
        name: null,
        role: 'user',
        status: 'active',
        storageMode: 'local',
        preferences: {},
      },
      fields: ['email', 'name', 'role', 'status', 'storageMode', 'preferences'],
      version: 1,
      undoes: null,
      erased_at: null,
      hasSameTime: true,
    });
  });

  it('records only the changed fields of an update, and only the changed paths of preferences', async () => {
    const [user] = await invite('grace@example.com');
    await asAda(async ({ em }) => {
      const grace = await em.findOneOrFail(User, { id: (user as User).id });
      grace.preferences = { theme: 'dark', editor: { tab: 2, wrap: true } };
    });
    await asAda(async ({ em }) => {
      const grace = await em.findOneOrFail(User, { id: (user as User).id });
      grace.role = 'admin';
      grace.preferences = { editor: { wrap: true, tab: 4 }, list: [1] };
    });
    expect((await recorded())[2]).to.deep.include({
      action: 'updated',
      before: { role: 'user', preferences: { theme: 'dark', editor: { tab: 2 }, list: null } },
      after: { role: 'admin', preferences: { theme: null, editor: { tab: 4 }, list: [1] } },
      fields: [
        'role',
        'preferences',
        'preferences.theme',
        'preferences.editor',
        'preferences.editor.tab',
        'preferences.list',
      ],
      version: 3,
      hasSameTime: true,
    });
  });

  it('records every field of a deleted account, as a version of its own', async () => {
    const [grace, other] = await invite('grace@example.com', 'other@example.com');
    await asAda(async ({ em }) => {
      em.remove(await em.findOneOrFail(User, { id: (grace as User).id }));
    });
    const [, , row] = await recorded();
    expect(row).to.deep.include({ user_id: grace?.id, action: 'deleted', after: null, version: 2 });
    expect(row?.['before']).to.include({
      email: 'grace@example.com',
      createdAt: grace?.createdAt.toISOString(),
    });
    expect((await accountsIn(store.database)).map(({ id }) => id)).to.deep.equal([other?.id]);
  });

  it('indexes an update by all of its fields, and a creation or deletion by its preference paths', async () => {
    const [grace] = await invite('grace@example.com');
    await asAda(async ({ em }) => {
      const user = await em.findOneOrFail(User, { id: (grace as User).id });
      user.storageMode = 'account';
      user.preferences = { editor: { tab: 2 } };
    });
    await asAda(async ({ em }) => {
      em.remove(await em.findOneOrFail(User, { id: (grace as User).id }));
    });
    const indexed = await store.database.query<Record<string, unknown>>(
      `select field, change_fields.action, change_fields.at = changes.at as "hasSameTime"
         from change_fields join changes on changes.id = change_id order by change_id, field collate "C"`,
    );
    const paths = ['preferences.editor', 'preferences.editor.tab'];
    expect(indexed).to.deep.equal([
      ...['preferences', ...paths, 'storageMode'].map((field) => ({
        field,
        action: 'updated',
        hasSameTime: true,
      })),
      ...paths.map((field) => ({ field, action: 'deleted', hasSameTime: true })),
    ]);
  });

  it('writes many changes with one statement in one transaction', async () => {
    const users = await invite(...Array.from({ length: 20 }, (_, n) => `u${n}@example.com`));
    await store.database.query(`
      create table seen (statement text);
      create function see() returns trigger language plpgsql as $$
        begin insert into seen values (tg_table_name); return null; end $$;
      create trigger see after insert on changes for each statement execute function see();`);
    await asAda(async ({ em }) => {
      for (const user of await em.find(User, { id: { $in: users.map(({ id }) => id) } })) user.name = 'N';
    });
    const seen = await store.database.query('select statement from seen');
    await store.database.query('drop trigger see on changes; drop function see; drop table seen');
    expect(seen).to.deep.equal([{ statement: 'changes' }]);
    const rows = await recorded();
    expect(rows).to.have.length(40);
    expect(new Set(rows.slice(20).map((row) => row['transaction_id'])).size).to.equal(1);
  });

  it('writes nothing when nothing has changed', async () => {
    const [user] = await invite('grace@example.com');
    await asAda(async ({ em }) => {
      const grace = await em.findOneOrFail(User, { id: (user as User).id });
      grace.name = null;
      grace.role = 'user';
    });
    expect(await recorded()).to.have.length(1);
    expect((await accountsIn(store.database))[0]).to.include({ version: 1 });
  });

  it('refuses to write without an author', async () => {
    const outcome = store.inUnit(async ({ em }) => em.persist(new User('grace@example.com')));
    const error = await outcome.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.equal('This unit of work has no author.');
    expect(await accountsIn(store.database)).to.deep.equal([]);
  });

  it('refuses to write outside of a transaction', async () => {
    const { em } = new Unit(store.em, { author: ADA });
    em.persist(new User('grace@example.com'));
    const error = await em.flush().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.equal('A unit of work must open its transaction before it flushes.');
    expect(await accountsIn(store.database)).to.deep.equal([]);
  });

  it('refuses to write outside of a unit of work', async () => {
    const { em } = store;
    em.persist(new User('grace@example.com'));
    const error = await em.flush().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.equal('Accounts change in units of work only.');
    expect(await accountsIn(store.database)).to.deep.equal([]);
  });

  it('fails the unit of work when it fails, and nothing is written', async () => {
    await store.database.query(
      "alter table changes add constraint no_grace check (after->>'email' <> 'grace@example.com')",
    );
    const error = await invite('ada@example.com', 'grace@example.com').then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.contain('no_grace');
    expect(await accountsIn(store.database)).to.deep.equal([]);
    expect(await recorded()).to.deep.equal([]);
  });

  it('gives changes of an account within the same millisecond different times', async () => {
    const [user] = await invite('grace@example.com');
    for (let n = 0; n < 20; n++) {
      await asAda(async ({ em }) => {
        (await em.findOneOrFail(User, { id: (user as User).id })).name = `N${n}`;
      });
    }
    const times = (await recorded()).map(({ at }) => (at as Date).getTime());
    expect(times).to.deep.equal([...new Set(times)].sort((a, b) => a - b));
  });

  it('rolls back a dry run, and returns what it would have recorded', async () => {
    const { recorded: rolledBack } = await asAda(async (unit) => {
      unit.dryRun = true;
      unit.em.persist(new User('grace@example.com'));
      return unit;
    });
    expect(rolledBack).to.have.length(1);
    expect(rolledBack[0]).to.deep.include({ action: 'created', actor: 'ada@example.com', version: 1 });
    expect(await recorded()).to.deep.equal([]);
    expect(await accountsIn(store.database)).to.deep.equal([]);
  });
});
