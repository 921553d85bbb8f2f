import { expect } from 'chai';
import { openStore } from '../../src/boot/open-store.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { addAccount } from '../support/accounts.ts';
import { startProxy } from '../support/proxy.ts';
import { testStore } from '../support/store.ts';

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
});
