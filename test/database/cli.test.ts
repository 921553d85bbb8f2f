import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';

const FIRST = 'Migration20261123000000_users';
const [LAST = ''] = readdirSync(join(import.meta.dirname, '../../migrations'))
  .filter((name) => name.endsWith('.ts'))
  .sort()
  .reverse()
  .map((name) => name.replace('.ts', ''));

describe('npx mikro-orm', function () {
  this.timeout(120_000);

  describe('with DATABASE_URL', () => {
    let database: TestDatabase;
    let env: NodeJS.ProcessEnv;

    before(async () => {
      database = await createEmptyDatabase();
      env = { DATABASE_URL: database.url };
    });

    after(() => database.drop());

    it('shows, applies and reverts migrations', async () => {
      expect((await mikroOrm(env, 'migration:pending')).said).to.include(FIRST);
      expect((await mikroOrm(env, 'migration:up')).said).to.include(`Applied '${FIRST}'`);
      expect((await mikroOrm(env, 'migration:pending')).said).to.include('No pending migrations');
      expect((await mikroOrm(env, 'migration:down')).said).to.include(`Reverted '${LAST}'`);
      expect((await mikroOrm(env, 'migration:up')).code).to.equal(0);
    });

    it('has nothing to create while entities and migrations agree, even on an empty database', async () => {
      const empty = await createEmptyDatabase();
      const { code, said } = await mikroOrm({ DATABASE_URL: empty.url }, 'migration:create');
      expect([code, said.includes('No changes required')]).to.deep.equal([0, true]);
      await empty.drop();
    });

    it('creates a migration', async () => {
      const path = await mkdtemp(join(tmpdir(), 'rollcall-cli-'));
      const { said } = await mikroOrm(env, 'migration:create', '--blank', '--name', 'more', '--path', path);
      expect(said).to.match(/Migration\d{14}_more\.ts successfully created/);
      expect((await readdir(path)).join()).to.match(/^Migration\d{14}_more\.ts$/);
      await rm(path, { recursive: true });
    });

    it('finds a migration for every change of the entities', async () => {
      expect((await mikroOrm(env, 'migration:check')).code).to.equal(0);
    });

    it('refuses to change a schema without a migration', async () => {
      for (const command of [['schema:drop', '--run'], ['schema:update', '--run'], ['migration:fresh']]) {
        await database.query('alter table users add column if not exists surprise text');
        const { said } = await mikroOrm(env, ...command);
        expect(said, command.join(' ')).to.include('by migrations only');
      }
      const columns = `select 1 from information_schema.columns where table_name = 'users' and column_name = 'surprise'`;
      expect(await database.query(columns)).to.have.length(1);
    });
  });

  describe('without DATABASE_URL', () => {
    it('starts the embedded database for the command, keeps its data, and stops it afterwards', async () => {
      const DATA_DIR = await mkdtemp(join(tmpdir(), 'rollcall-cli-'));
      try {
        expect((await mikroOrm({ DATA_DIR }, 'migration:up')).said).to.include(`Applied '${FIRST}'`);
        expect((await mikroOrm({ DATA_DIR }, 'migration:check')).code).to.equal(0);
        expect((await mikroOrm({ DATA_DIR }, 'migration:pending')).said).to.include('No pending migrations');
        expect(existsSync(join(DATA_DIR, 'postgres/cluster/data/PG_VERSION'))).to.equal(true);
        expect(existsSync(join(DATA_DIR, 'postgres/cluster/data/postmaster.pid'))).to.equal(false);
      } finally {
        await rm(DATA_DIR, { recursive: true });
      }
    });
  });
});
