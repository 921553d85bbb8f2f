import { expect } from 'chai';
import { openStore } from '../../src/boot/open-store.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { addAccount } from '../support/accounts.ts';
import { startProxy } from '../support/proxy.ts';
import { testStore } from '../support/store.ts';
import { eventually } from '../support/waiting.ts';

/** An account's row and its history, without what differs between two accounts. */
const WRITTEN = `
  select (select jsonb_agg(to_jsonb(users) - 'id' - 'email' - 'updated_at') from users where id = $1) as account,
         (select jsonb_agg(to_jsonb(changes) - 'id' - 'at' - 'user_id' - 'transaction_id' - 'before' - 'after'
                           || jsonb_build_object('before', before - 'email', 'after', after - 'email',
                                'isInTime', at = (select updated_at from users where id = $1)) order by changes.id)
            from changes where user_id = $1 and version > 1) as history,
         (select jsonb_agg(to_jsonb(change_fields) - 'change_id' - 'at' order by field)
            from change_fields join changes on changes.id = change_id where user_id = $1 and version > 1) as fields`;

describe('a unit that changes one account', () => {
  const store = testStore();

  const changes: [what: string, change: (account: User) => void][] = [
    ['its name', (account) => void Object.assign(account, { name: 'Ada “the first” \\ Lovelace' })],
    ['its email', (account) => account.rename(`new-${account.email}`)],
    ['its role', (account) => account.promote()],
    ['its status', (account) => void Object.assign(account, { status: 'suspended' })],
    ['its storage mode', (account) => void Object.assign(account, { storageMode: 'account' })],
    [
      'its preferences',
      (account) =>
        account.prefer({ theme: null, editor: { tabs: [1, { é: '\u2028' }] }, size: 1e21 } as never),
    ],
    ['everything', (account) => void Object.assign(account, { name: null, role: 'admin', preferences: {} })],
  ];
  for (const [what, change] of changes) {
    it(`writes of ${what} what a transaction writes`, async () => {
      const [one, other] = [
        await addAccount(store.database, 'ada@example.com', { name: 'Ada', preferences: { theme: 'dark' } }),
        await addAccount(store.database, 'bob@example.com', { name: 'Ada', preferences: { theme: 'dark' } }),
      ];
      const written: unknown[] = [];
      for (const { id, isInTransaction } of [
        { id: one.id, isInTransaction: false },
        { id: other.id, isInTransaction: true },
      ]) {
        const version = await store.as(COMMAND_LINE)(async (unit) => {
          const account = await unit.em.findOneOrFail(User, id);
          change(account);
          if (isInTransaction) await unit.begin();
          return account;
        });
        expect(version.version).to.equal(2);
        written.push(await store.database.query(WRITTEN, [id]));
      }
      expect(written[0]).to.deep.equal(written[1]);
      expect(JSON.stringify(written[0])).to.include('"isInTime":true');
    });
  }

  it('does so in one statement, and without a change in none', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    const proxy = await startProxy(store.database.url);
    const proxied = await openStore({
      database: { ...store.database, url: proxy.url },
      mode: 'direct',
      author: COMMAND_LINE,
    });
    try {
      const rename = (name: string) =>
        proxied.inUnit(async ({ em }) => {
          (await em.findOneOrFail(User, id)).name = name;
          proxy.reset();
        });
      await rename('Ada');
      expect(proxy.statements()).to.be.at.least(1).and.at.most(2); // the announcement
      await rename('Ada');
      expect(proxy.statements()).to.equal(0);
    } finally {
      await proxied.close();
      await proxy.close();
    }
  });

  it('loses to whoever changes the account meanwhile, and runs again', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    let attempts = 0;
    await store.as(COMMAND_LINE)(async (unit) => {
      const account = await unit.em.findOneOrFail(User, id);
      await unit.claim(account);
      if (++attempts === 1) {
        await store.as(COMMAND_LINE)(async ({ em }) => {
          (await em.findOneOrFail(User, id)).name = 'Another';
        });
      }
      account.prefer({ seen: account.name });
    });
    expect(attempts).to.equal(2);
    expect(await store.database.query('select version, name, preferences from users')).to.deep.equal([
      { version: 3, name: 'Another', preferences: { seen: 'Another' } },
    ]);
    expect(
      await store.database.query('select version, fields from changes where version > 1 order by id'),
    ).to.deep.equal([
      { version: 2, fields: ['name'] },
      { version: 3, fields: ['preferences', 'preferences.seen'] },
    ]);
  });

  it('leaves no trace of a change that a constraint refuses', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    await addAccount(store.database, 'bob@example.com');
    const refused = await store
      .as(COMMAND_LINE)(async ({ em }) => {
        (await em.findOneOrFail(User, id)).rename('bob@example.com');
      })
      .catch((error: Error) => error.name);
    expect(refused).to.equal('UniqueConstraintViolationException');
    expect(await store.database.query('select from changes where version > 1')).to.have.length(0);
  });

  describe('beside others in the same turn', () => {
    /** Changes accounts by their emails at once, with what becomes of each change. */
    const changeAll = async (all: Readonly<Record<string, (account: User) => void>>) => {
      // All are due in one turn, once all have been read.
      const { promise, resolve } = Promise.withResolvers<void>();
      let reading = Object.keys(all).length;
      const inUnit = store.as(COMMAND_LINE);
      const outcomes = await Promise.all(
        Object.entries(all).map(([key, change]) =>
          inUnit(
            async (unit) => {
              const [email = ''] = key.split(' ');
              const account = await unit.em.findOneOrFail(User, { email });
              if (--reading === 0) resolve();
              await promise;
              change(account);
            },
            { replays: false },
          )
            .then(() => 'written')
            .catch((error: Error) => error.name),
        ),
      );
      return Object.fromEntries(Object.keys(all).map((key, at) => [key, outcomes[at]]));
    };
    const rename = (name: string) => (account: User) => void Object.assign(account, { name });
    const names = () =>
      store.database.query<Record<string, unknown>>(
        `select email, name, version, (select count(*)::int from changes where user_id = users.id and version > 1) as changes
           from users order by id`,
      );

    beforeEach(async () => {
      for (const name of ['ada', 'bob', 'eve']) await addAccount(store.database, `${name}@example.com`);
    });

    it('shares one transaction with them, and each has its history', async () => {
      const all = {
        'ada@example.com': rename('A'),
        'bob@example.com': rename('B'),
        'eve@example.com': rename('E'),
      };
      expect(new Set(Object.values(await changeAll(all)))).to.deep.equal(new Set(['written']));
      const history = await store.database.query<{ transaction_id: string }>(
        `select transaction_id, after->>'name' as name, fields, at = updated_at as "isInTime"
           from changes join users on users.id = user_id where changes.version = 2 order by email`,
      );
      expect(new Set(history.map(({ transaction_id }) => transaction_id)).size).to.equal(1);
      expect(history.map(({ transaction_id: _, ...entry }) => entry)).to.deep.equal(
        ['A', 'B', 'E'].map((name) => ({ name, fields: ['name'], isInTime: true })),
      );
    });

    it('is written although one of them is refused', async () => {
      await store.database.query(`alter table users add constraint no_bob check (name <> 'Bob')`);
      try {
        expect(
          await changeAll({ 'ada@example.com': rename('A'), 'bob@example.com': rename('Bob') }),
        ).to.deep.equal({
          'ada@example.com': 'written',
          'bob@example.com': 'CheckConstraintViolationException',
        });
      } finally {
        await store.database.query('alter table users drop constraint no_bob');
      }
      expect(await names()).to.deep.equal([
        { email: 'ada@example.com', name: 'A', version: 2, changes: 1 },
        { email: 'bob@example.com', name: null, version: 1, changes: 0 },
        { email: 'eve@example.com', name: null, version: 1, changes: 0 },
      ]);
    });

    it('does not wait for the lock that one of them waits for', async () => {
      const session = await store.database.connect();
      await session.query(`begin; select from users where email = 'bob@example.com' for update`);
      const outcomes = changeAll({ 'ada@example.com': rename('A'), 'bob@example.com': rename('B') });
      await eventually(async () => (await names())[0]?.['name'] === 'A' || undefined);
      await session.query('commit');
      expect(await outcomes).to.deep.equal({ 'ada@example.com': 'written', 'bob@example.com': 'written' });
    });

    it('loses to another change of the same account, and wins once', async () => {
      const outcomes = await changeAll({
        'ada@example.com first': rename('A'),
        'ada@example.com second': rename('Z'),
        'bob@example.com': rename('B'),
      });
      expect(Object.values(outcomes).sort()).to.deep.equal(['OptimisticLockError', 'written', 'written']);
      expect((await names()).map(({ version, changes }) => [version, changes])).to.deep.equal([
        [2, 1],
        [2, 1],
        [1, 0],
      ]);
    });
  });
});
