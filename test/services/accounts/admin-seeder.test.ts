import { expect } from 'chai';
import { BOOT } from '../../../src/domain/author.ts';
import { seedAdmins } from '../../../src/services/accounts/admin-seeder.ts';
import { Unit } from '../../../src/store/unit.ts';
import { testStore } from '../../support/store.ts';

describe('the admin seeder', () => {
  const store = testStore();

  beforeEach(async () => {
    await store.database.query(`
      insert into users (email, name, role, preferences, storage_mode, created_at, updated_at) values
        ('user@example.com', 'U', 'user', '{"theme":"dark"}', 'account', '2020-01-01', '2020-01-01'),
        ('admin@example.com', 'A', 'admin', null, 'local', '2020-01-01', '2020-01-01'),
        ('other@example.com', 'O', 'admin', null, 'local', '2020-01-01', '2020-01-01')`);
  });

  const seed = (...emails: string[]) =>
    store.em.transactional((em) => seedAdmins(new Unit(em, { author: BOOT }), emails));
  const users = () =>
    store.database.query(`select email, name, role, preferences, storage_mode, updated_at > '2020-01-02' as touched
                      from users order by email`);
  const untouched = [
    {
      email: 'admin@example.com',
      name: 'A',
      role: 'admin',
      preferences: null,
      storage_mode: 'local',
      touched: false,
    },
    {
      email: 'other@example.com',
      name: 'O',
      role: 'admin',
      preferences: null,
      storage_mode: 'local',
      touched: false,
    },
  ];
  const user = {
    email: 'user@example.com',
    name: 'U',
    preferences: { theme: 'dark' },
    storage_mode: 'account',
  };

  it('creates an admin when the account does not exist', async () => {
    expect(await seed('new@example.com')).to.deep.equal({
      created: ['new@example.com'],
      promoted: [],
      unchanged: [],
    });
    expect(await users()).to.deep.include({
      email: 'new@example.com',
      name: null,
      role: 'admin',
      preferences: null,
      storage_mode: 'local',
      touched: true,
    });
  });

  it('promotes an existing account and changes nothing else about it', async () => {
    expect(await seed('user@example.com')).to.deep.equal({
      created: [],
      promoted: ['user@example.com'],
      unchanged: [],
    });
    expect(await users()).to.deep.equal([...untouched, { ...user, role: 'admin', touched: true }]);
  });

  it('leaves existing admins and unlisted accounts untouched', async () => {
    expect(await seed('admin@example.com')).to.deep.equal({
      created: [],
      promoted: [],
      unchanged: ['admin@example.com'],
    });
    expect(await users()).to.deep.equal([...untouched, { ...user, role: 'user', touched: false }]);
  });

  it('does nothing for an empty list', async () => {
    expect(await seed()).to.deep.equal({ created: [], promoted: [], unchanged: [] });
    expect(await users()).to.have.length(3);
  });

  it('changes nothing the second time', async () => {
    const emails = ['admin@example.com', 'new@example.com', 'user@example.com'];
    await seed(...emails);
    const before = await store.database.query('select * from users order by id');
    expect(await seed(...emails)).to.deep.equal({ created: [], promoted: [], unchanged: emails });
    expect(await store.database.query('select * from users order by id')).to.deep.equal(before);
  });
});
