import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { invocationIn, programEnvironment, programOf } from '../support/programs.ts';
import { startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const ROOT = join(import.meta.dirname, '../..');
const ALL = readdirSync(join(ROOT, 'migrations'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replace('.ts', ''))
  .sort();
const [FIRST = ''] = ALL;

/** The key of the boot lock. */
const BOOT_LOCK = '0x726f6c6c63616c6c'.slice(2);

describe('npm run migrate', function () {
  this.timeout(120_000);

  const program = () => programOf('src/commands/migrate.ts');

  let database: TestDatabase;

  beforeEach(async () => {
    database = await createEmptyDatabase();
  });

  afterEach(() => database.drop());

  const environment = (more: NodeJS.ProcessEnv = {}) => ({
    ...programEnvironment(),
    ENVIRONMENT: 'test',
    DATABASE_URL: database.url,
    // It says so where a busy machine takes longer.
    DATABASE_CONNECT_TIMEOUT_MS: '30000',
    ...more,
  });
  const run = (args: string[], more: NodeJS.ProcessEnv = {}) => {
    const options = { cwd: ROOT, env: environment(more), encoding: 'utf8', input: '' } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [program(), ...args], options);
    return { status, stdout, stderr };
  };
  const begin = (more: NodeJS.ProcessEnv = {}): ChildProcess =>
    spawn(process.execPath, [program(), '--yes'], {
      cwd: ROOT,
      env: environment(more),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const tables = async () =>
    (await database.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`)).length;
  const expectWhole = async () => {
    const rows = await database.query<{ name: string }>('select name from rollcall_migrations order by name');
    expect(rows.map(({ name }) => name)).to.deep.equal(ALL);
    const invalid = await database.query('select 1 from pg_index where not indisvalid');
    expect(invalid).to.deep.equal([]);
  };

  it('prints a plan and changes nothing with --plan', async () => {
    const { status, stdout, stderr } = run(['--plan']);
    expect([status, stderr]).to.deep.equal([0, '']);
    const url = new URL(database.url);
    expect(stdout.split('\n')[0]).to.equal(`database: ${database.name} at ${url.host} as ${url.username}`);
    expect(stdout).to.match(new RegExp(`^${FIRST} +1$`, 'm'));
    expect(stdout).to.match(/^Migration20261124000001_users_list_indexes +none$/m);
    expect(stdout).to.match(/^Migration20261125000000_changes +2$/m);
    expect(stdout).to.include('while requests go on');
    expect(stdout).not.to.include(decodeURIComponent(url.password));
    expect(await tables()).to.equal(0);
  });

  it('names the tables that a migration locks, as JSON too', async () => {
    const migrated = await createMigratedDatabase();
    await migrated.query(`delete from rollcall_migrations where name like '%service_token_authors'`);
    await migrated.query(`insert into rollcall_migrations (name) values ('Migration29990101000000_newer')`);
    const { status, stdout } = run(['--plan', '--json'], { DATABASE_URL: migrated.url });
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal({
      pending: [
        {
          name: 'Migration20261129000031_service_token_authors',
          transaction: 1,
          locks: ['service_tokens'],
        },
      ],
      unknown: ['Migration29990101000000_newer'],
      adopts: false,
      missingIndexes: [],
      searchGap: null,
      adoption: null,
      applied: [],
    });
    await migrated.drop();
  });

  it('migrates with --yes, says each step, and has nothing to do the second time', async () => {
    const { status, stdout, stderr } = run(['--yes']);
    expect(status).to.equal(0);
    expect(stderr.trim().split('\n')).to.deep.equal(ALL.map((name) => `applied ${name}`));
    expect(stdout).to.include(`The database is migrated: ${ALL.length} applied.`);
    await expectWhole();
    const again = run(['--yes']);
    expect([again.status, again.stderr]).to.deep.equal([0, '']);
    expect(again.stdout).to.match(/\nNo migration is pending\.\n$/);
    // Not its business: starts seed the admins.
    expect(await database.query('select 1 from users')).to.deep.equal([]);
  });

  it('prints what it has applied as JSON, and nothing else', () => {
    const { status, stdout, stderr } = run(['--yes', '--json']);
    expect([status, stderr]).to.deep.equal([0, '']);
    expect(JSON.parse(stdout).applied).to.deep.equal(ALL);
  });

  it('builds the indexes of the search that are missing', async () => {
    expect(run(['--yes']).status).to.equal(0);
    await database.query('drop index users_name_search_index');
    expect(run(['--plan']).stdout).to.match(/will be built.*: users_name_search_index/);
    expect(run(['--yes']).status).to.equal(0);
    await expectWhole();
    expect(await database.query(`select to_regclass('users_name_search_index') as name`)).to.deep.equal([
      { name: 'users_name_search_index' },
    ]);
  });

  for (const [what, args, complaint] of [
    ['nobody can answer', [], /^No terminal answers here: pass --yes to migrate, or --plan to look\./],
    ['both a plan and no question are wanted', ['--plan', '--yes'], /^Pass --plan or --yes, not both\./],
    ['an option is unknown', ['--force'], /^Unknown option '--force'/],
  ] as const) {
    it(`exits 64 with its usage where ${what}, and changes nothing`, async () => {
      const { status, stdout, stderr } = run([...args]);
      expect([status, stdout]).to.deep.equal([64, '']);
      expect(stderr).to.match(complaint);
      expect(stderr).to.include(`\n\nUsage: ${invocationIn('src/commands/migrate.ts', '[--plan | --yes]')}`);
      expect(await tables()).to.equal(0);
    });
  }

  /** Runs it at a terminal, of the program `script`, with an answer. */
  const atTerminal = (answer: string) => {
    const { error, status, stdout } = spawnSync(
      'script',
      ['--quiet', '--return', '--command', `'${process.execPath}' '${program()}'`, '/dev/null'],
      { cwd: ROOT, env: environment(), encoding: 'utf8', input: answer, timeout: 40_000 },
    );
    if (error) throw new Error(`The test needs the program script of util-linux: ${error.message}`);
    return { status, stdout };
  };

  it('asks at a terminal, and changes nothing unless the answer is yes', async () => {
    const refused = atTerminal('n\n');
    expect(refused.status).to.equal(64);
    expect(refused.stdout).to.include('Migrate now? [y/N]').and.to.include('Nothing was changed.');
    expect(await tables()).to.equal(0);
    expect(atTerminal('y\n').status).to.equal(0);
    await expectWhole();
  });

  it('lets several run at once, beside starts, and applies each migration once', async () => {
    const server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com' });
    const commands = Array.from({ length: 3 }, () => begin());
    const codes = await Promise.all(commands.map(async (command) => (await once(command, 'close'))[0]));
    expect(codes).to.deep.equal([0, 0, 0]);
    await server.ready();
    await expectWhole();
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('leaves nothing half done when it is killed at any step, and goes on the next time', async () => {
    for (const step of [1, 3, 5]) {
      const command = begin();
      let applied = 0;
      createInterface({ input: command.stderr as NodeJS.ReadableStream }).on('line', () => {
        if (++applied === step) command.kill('SIGKILL');
      });
      await once(command, 'close');
    }
    expect(run(['--yes']).status).to.equal(0);
    await expectWhole();
  });

  it('waits for another process that migrates, and gives up after BOOT_TIMEOUT_MS', async () => {
    const holder = await database.connect();
    await holder.query('begin');
    await holder.query(`select pg_advisory_xact_lock(('x' || '${BOOT_LOCK}')::bit(64)::bigint)`);
    const { status, stderr } = run(['--yes'], { BOOT_TIMEOUT_MS: '3000' });
    expect(status).to.equal(69);
    expect(stderr).to.match(/^waiting: Another process holds the boot lock/);
    const command = begin();
    const [line] = await once(createInterface({ input: command.stderr as NodeJS.ReadableStream }), 'line');
    expect(line).to.match(/^waiting: /);
    await holder.query('commit');
    expect((await once(command, 'close'))[0]).to.equal(0);
    await expectWhole();
  });

  it('says which session holds a lock that it waits for, and gives up after BOOT_TIMEOUT_MS', async () => {
    expect(run(['--yes']).status).to.equal(0);
    await database.query(`delete from rollcall_migrations where name like '%service_token_authors'`);
    const reader = await database.connect();
    await reader.query(`set application_name = 'somebody''s psql'; begin; select from service_tokens`);
    const { status, stderr } = run(['--yes'], { BOOT_TIMEOUT_MS: '3000' });
    const session = /session \d+ \(somebody's psql, \w+, idle in transaction\)/.source;
    expect(status).to.equal(69);
    expect(stderr).to.match(new RegExp(`^waiting for ${session}\n`));
    expect(stderr).to.match(
      new RegExp(
        `Migration \\w+_service_token_authors failed: .* It waited for a lock that others hold: ${session}\\. `,
      ),
    );
    // Nobody waits behind it any more.
    expect(await database.query('select from service_tokens')).to.deep.equal([]);
  });

  it('goes on as soon as it gets the lock, and waits for the next one as long', async () => {
    const blocker = await database.connect();
    await blocker.query('begin; create table users (blocks int)');
    const command = begin({ BOOT_TIMEOUT_MS: '10000' });
    const lines: string[] = [];
    createInterface({ input: command.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      lines.push(line),
    );
    const ended = once(command, 'close');
    const said = (line: RegExp) => until(String(line), async () => lines.some((said) => line.test(said)));
    await said(/^waiting for session /);
    // It gets the boot lock between the first migrations and the next ones.
    const other = await database.connect();
    await other.query('begin');
    const locked = other.query(`select pg_advisory_xact_lock(('x' || '${BOOT_LOCK}')::bit(64)::bigint)`);
    await delay(5_200);
    await blocker.query('rollback');
    await locked;
    await said(/^waiting: Another process holds the boot lock/);
    await delay(5_200);
    await other.query('commit');
    expect((await ended)[0], lines.join('\n')).to.equal(0);
    await expectWhole();
  });

  const createForeignTable = async () =>
    database.query(await readFile(join(ROOT, 'test/database/adoption/alembic/same-columns.sql'), 'utf8'));

  it('shows and does the adoption of a table of another service', async () => {
    await createForeignTable();
    const plan = run(['--plan']);
    expect(plan.status).to.equal(0);
    expect(plan.stdout).to.include('A table users of another service will be adopted first.');
    expect(plan.stdout).not.to.include(FIRST);
    const { status, stderr } = run(['--yes']);
    expect([status, stderr.split('\n')[0]]).to.deep.equal([0, 'adopted the table users with 0 accounts']);
    await expectWhole();
  });

  it('refuses a table that cannot be adopted, without asking, and changes nothing', async () => {
    await createForeignTable();
    await database.query(
      `insert into users (email, role, storage_mode, created_at, updated_at)
       select email, 'user', 'local', now(), now() from unnest(array['ada@example.com', 'Ada@example.com']) as email`,
    );
    const before = await tables();
    const { status, stdout } = run(['--yes']);
    expect(status).to.equal(65);
    expect(stdout).to.include('ada@example.com belongs to several accounts');
    expect(await tables()).to.equal(before);
  });

  it('exits 69 where the database does not answer, and 78 where settings are wrong', () => {
    const down = run(['--yes'], { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/app' });
    expect(down.status).to.equal(69);
    expect(down.stderr).not.to.include('hunter2');
    expect(run(['--yes'], { DATABASE_URL: 'postgres://app:hunter2@' }).status).to.equal(78);
  });
});
