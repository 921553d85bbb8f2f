import { expect } from 'chai';
import { openStore } from '../../src/boot/open-store.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import type { Right } from '../../src/domain/right.ts';
import { User } from '../../src/domain/user.ts';
import type { Unit } from '../../src/store/unit.ts';
import { addAccount } from '../support/accounts.ts';
import { startProxy } from '../support/proxy.ts';
import { testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

/** An account's row and its history, without what differs between two accounts. */
const WRITTEN = `
  select (select jsonb_agg(to_jsonb(users) - 'id' - 'email' - 'created_at' - 'updated_at') from users where id = $1) as account,
         (select jsonb_agg(to_jsonb(changes) - 'id' - 'at' - 'user_id' - 'transaction_id' - 'before' - 'after'
                           || jsonb_build_object('before', before - 'email' - 'createdAt', 'after', after - 'email',
                                'isInTime', at = (select updated_at from users where id = $1)) order by changes.id)
            from changes where user_id = $1) as history,
         (select jsonb_agg(to_jsonb(change_fields) - 'change_id' - 'at' order by change_id, field)
            from change_fields join changes on changes.id = change_id where user_id = $1) as fields`;

const ADMIN = { role: 'admin', status: 'active' } as const;

const WAITING = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

const ONE_AND_ITS_ANNOUNCEMENT = 2;

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

  for (const values of [
    {},
    { name: 'Ada', status: 'suspended', preferences: { theme: null, é: [1] } },
    ADMIN,
  ]) {
    it(`writes of a new account with ${JSON.stringify(values)} what a transaction writes`, async () => {
      const written: unknown[] = [];
      for (const [email, isInTransaction] of [
        ['ada@example.com', false],
        ['bob@example.com', true],
      ] as const) {
        const account = await store.as(COMMAND_LINE)(async (unit) => {
          const account = Object.assign(new User(email), values);
          unit.em.persist(account);
          if (isInTransaction) await unit.begin();
          return account;
        });
        const [row] = await store.em.find(User, { email });
        expect({
          ...account,
          name: account.name ?? null,
          preferences: account.preferences ?? null,
          roleUntil: account.roleUntil ?? null,
          lastSeenAt: account.lastSeenAt ?? null,
          isLapsed: account.isLapsed ?? false,
        }).to.deep.equal({ ...row });
        written.push(await store.database.query(WRITTEN, [account.id]));
      }
      expect(written[0]).to.deep.equal(written[1]);
      expect(JSON.stringify(written[0])).to.include('"isInTime":true');
    });
  }

  it('writes of a deletion what a transaction writes', async () => {
    const written: unknown[] = [];
    for (const [email, isInTransaction] of [
      ['ada@example.com', false],
      ['bob@example.com', true],
    ] as const) {
      const { id } = await addAccount(store.database, email, { name: 'Ada', preferences: { theme: 'dark' } });
      await store.as(COMMAND_LINE)(async (unit) => {
        unit.em.remove(await unit.em.findOneOrFail(User, id));
        if (isInTransaction) await unit.begin();
      });
      written.push(await store.database.query(WRITTEN, [id]));
      const [{ isLast } = {}] = await store.database.query<{ isLast: boolean }>(
        `select (array_agg(action order by at desc))[1] = 'deleted' as "isLast" from changes where user_id = $1`,
        [id],
      );
      expect(isLast).to.equal(true);
    }
    expect(written[0]).to.deep.equal(written[1]);
    expect(written[0]).to.have.nested.property('[0].account', null);
  });

  it('does so in one statement, with the check of its author, and without a change in none', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    const admin = await addAccount(store.database, 'root@example.com', ADMIN);
    const proxy = await startProxy(store.database.url);
    const statementsOf = async (work: (unit: Unit) => Promise<void>) => {
      const proxied = await openStore({
        database: { ...store.database, url: proxy.url },
        mode: 'direct',
        author: COMMAND_LINE,
      });
      await proxied.inUnit(async (unit) => {
        unit.right = { accountId: admin.id, asAdmin: true };
        await work(unit);
        proxy.reset();
      });
      // What is to be announced has been, once this is closed.
      await proxied.close();
      return proxy.statements();
    };
    try {
      const works: ((unit: Unit) => Promise<void>)[] = [
        async ({ em }) => void Object.assign(await em.findOneOrFail(User, id), { name: 'Ada' }),
        async ({ em }) => void em.persist(new User('bob@example.com')),
        async ({ em }) => void em.remove(await em.findOneOrFail(User, id)),
      ];
      for (const work of works) expect(await statementsOf(work)).to.equal(ONE_AND_ITS_ANNOUNCEMENT);
      const nothing = await statementsOf(async (unit) => {
        unit.right = null;
        Object.assign(await unit.em.findOneOrFail(User, admin.id), ADMIN);
      });
      expect(nothing).to.equal(0);
    } finally {
      await proxy.close();
    }
  });

  describe('whose author loses the right', () => {
    const kinds: Record<string, (unit: Unit) => Promise<void>> = {
      creation: async ({ em }) => void em.persist(new User('new@example.com')),
      update: async ({ em }) =>
        void Object.assign(await em.findOneOrFail(User, { email: 'ada@example.com' }), { name: 'Ada' }),
      deletion: async ({ em }) => void em.remove(await em.findOneOrFail(User, { email: 'ada@example.com' })),
    };
    const ROWS = 'select (select jsonb_agg(users order by id) from users), (select count(*) from changes)';
    let rights: Record<string, { right: Right; loss: string; code: string }>;

    beforeEach(async () => {
      await addAccount(store.database, 'ada@example.com');
      const admin = await addAccount(store.database, 'root@example.com', ADMIN);
      const [token] = await store.database.query<{ id: number }>(
        `insert into service_tokens (name, digest, scopes, created_by)
           values ('sync', repeat('x', 43), '{users:write}', 'root@example.com') returning id`,
      );
      const asAdmin = { accountId: admin.id, asAdmin: true };
      rights = {
        demotion: {
          right: asAdmin,
          loss: `update users set role = 'user' where id = ${admin.id}`,
          code: 'forbidden',
        },
        suspension: {
          right: { accountId: admin.id, asAdmin: false },
          loss: `update users set status = 'suspended' where id = ${admin.id}`,
          code: 'account_suspended',
        },
        revocation: {
          right: { serviceTokenId: token?.id ?? 0 },
          loss: 'update service_tokens set revoked_at = now()',
          code: 'unauthenticated',
        },
      };
    });

    for (const reason of ['demotion', 'suspension', 'revocation']) {
      for (const [kind, work] of Object.entries(kinds)) {
        it(`by a ${reason} leaves no trace of a ${kind}, also where it is committed meanwhile`, async () => {
          const { right, loss, code } = rights[reason] ?? expect.fail();
          for (const isMeanwhile of [true, false]) {
            const session = await store.database.connect();
            await session.query(`begin; ${loss}`);
            const [before] = await session.query(ROWS).then(({ rows }) => rows);
            if (!isMeanwhile) await session.query('commit');
            const outcome = store
              .as(COMMAND_LINE)((unit) => {
                unit.right = right;
                return work(unit);
              })
              .then(
                () => 'written',
                (error: { code?: string }) => error.code,
              );
            if (isMeanwhile) {
              await until('the write to wait', async () => (await store.database.query(WAITING)).length > 0);
              await session.query('commit');
            }
            expect(await outcome).to.equal(code);
            expect((await store.database.query(ROWS))[0]).to.deep.equal(before);
          }
        });
      }
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

  it('leaves no trace of a change that a constraint refuses, and its connection as it was', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    await addAccount(store.database, 'bob@example.com');
    const connections = () =>
      store.database.query(
        `select pid from pg_stat_activity where datname = current_database() and application_name = 'rollcall' order by pid`,
      );
    await store.em.find(User, {});
    const before = await connections();
    expect(before).not.to.be.empty;
    const refused = await store
      .as(COMMAND_LINE)(async ({ em }) => {
        (await em.findOneOrFail(User, id)).rename('bob@example.com');
      })
      .catch((error: Error) => error.name);
    expect(refused).to.equal('UniqueConstraintViolationException');
    expect(await connections()).to.deep.equal(before);
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

    it('waits for no lock: whoever has to loses the race, and its unit runs again', async () => {
      const session = await store.database.connect();
      await session.query(`begin; select from users where email = 'bob@example.com' for update`);
      expect(
        await changeAll({ 'ada@example.com': rename('A'), 'bob@example.com': rename('B') }),
      ).to.deep.equal({ 'ada@example.com': 'written', 'bob@example.com': 'OptimisticLockError' });
      await session.query('commit');
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
