import { expect } from 'chai';
import { type Variable, variables } from '../config/schema.ts';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { startProxy } from './support/proxy.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

const ADMINS = 'ada@example.com, Grace@Example.com ,,ada@example.com';

describe('the boot', function () {
  this.timeout(300_000);

  let database: TestDatabase;
  let servers: ServerProcess[];

  beforeEach(async () => {
    database = await createEmptyDatabase();
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await database.drop();
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    const server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: ADMINS, ...env });
    servers.push(server);
    return server;
  };
  const ready = async (server: ServerProcess) => {
    await server.ready();
    return server;
  };
  const admins = async () => {
    const rows = await database.query<{ email: string }>(
      `select email from users where role = 'admin' order by email`,
    );
    return rows.map(({ email }) => email);
  };
  /** Expects each migration once, each admin once, and no lock. */
  const expectWhole = async () => {
    expect(await admins()).to.deep.equal(['ada@example.com', 'grace@example.com']);
    const ledger = await database.query('select name, count(*)::int from rollcall_migrations group by name');
    expect(ledger.every((row) => row['count'] === 1)).to.equal(true);
    const locks = await database.query(
      `select 1 from pg_locks join pg_database d on d.oid = database where locktype = 'advisory' and datname = $1`,
      [database.name],
    );
    expect(locks).to.deep.equal([]);
  };
  const waitsFor = async (relation: string) => {
    const waiting = () =>
      database.query(
        `select pid from pg_stat_activity where datname = $1 and wait_event_type = 'Lock' and query ilike '%' || $2 || '%'`,
        [database.name, relation],
      );
    while ((await waiting()).length === 0);
  };

  it('restores initial admins that were demoted, suspended or deleted, and says so', async () => {
    const env = { INITIAL_ADMINS: `${ADMINS},eve@example.com,new@example.com` };
    const first = start(env);
    await first.ready();
    expect(first.lines.filter(({ msg }) => msg.startsWith('restored admin'))).to.deep.equal([]);
    expect(await first.end('SIGTERM')).to.equal(0);
    // What an API call writes, as far as the seeder reads it.
    await database.query(`update users set role = 'user' where email = 'ada@example.com'`);
    await database.query(`update users set status = 'suspended' where email = 'grace@example.com'`);
    await database.query(
      `insert into changes (actor, user_id, action, before, fields, version)
       select 'test', id, 'deleted', '{"email":"eve@example.com","role":"admin"}', '{email,role}', 2
         from users where email = 'eve@example.com'`,
    );
    await database.query(`delete from users where email in ('eve@example.com')`);

    const second = start({ INITIAL_ADMINS: `${env.INITIAL_ADMINS},newest@example.com` });
    await second.ready();
    const restored = second.lines.filter(({ msg }) => msg.startsWith('restored admin'));
    expect(restored.map(({ level, email }) => [level, email])).to.deep.equal(
      ['ada', 'eve', 'grace'].map((name) => [40, `${name}@example.com`]),
    );
    const active = await database.query(
      `select email from users where role = 'admin' and status = 'active' order by email`,
    );
    expect(active.map(({ email }) => email)).to.deep.equal([
      'ada@example.com',
      'eve@example.com',
      'grace@example.com',
      'new@example.com',
      'newest@example.com',
    ]);
  });

  it('migrates, seeds the admins and serves, and does nothing the second time', async () => {
    const first = start();
    await first.ready();
    expect(await first.said('admins seeded')).to.deep.include({
      created: ['ada@example.com', 'grace@example.com'],
      promoted: [],
      unchanged: [],
    });
    await expectWhole();
    expect(await first.end('SIGTERM')).to.equal(0);
    const before = await database.query('select * from users order by id');

    const second = start();
    await second.ready();
    expect((await second.said('admins seeded'))['unchanged']).to.have.length(2);
    expect(await database.query('select * from users order by id')).to.deep.equal(before);
  });

  it('does in a database that was prepared before whatever has come undone', async () => {
    expect(await start().ready()).to.be.a('string');
    const missing = 'users_name_search_index';
    await database.query(`drop index ${missing}`);
    // As after a restore in a cluster with lower transaction ids.
    await database.query(
      `update changes set transaction_id = (transaction_id::text::bigint + 10000000)::text::xid8`,
    );
    const second = start();
    await second.ready();
    await second.said('database moved to another cluster; change feed continued');
    expect(
      await database.query(`select indisvalid from pg_index where indexrelid = '${missing}'::regclass`),
    ).to.deep.equal([{ indisvalid: true }]);
    const third = start();
    await third.ready();
    expect(third.lines.filter(({ level }) => (level as number) > 30)).to.deep.equal([]);
  });

  it('needs seven messages where nothing is to be done', async () => {
    await start().ready();
    const proxy = await startProxy(database.url);
    const server = start({ DATABASE_URL: proxy.url });
    await server.ready();
    // Two find out how to connect; then the lock with the begin of its transaction, a look at everything, the admins, the
    // commit, and which life of the database this is.
    expect(proxy.statements()).to.equal(7);
    await server.end('SIGTERM');
    await proxy.close();
  });

  it('lets eight processes start at once on one empty database', async () => {
    const all = Array.from({ length: 8 }, () => start());
    const addresses = await Promise.all(all.map((server) => server.ready()));
    await expectWhole();
    const created = await Promise.all(
      all.map(async (server) => (await server.said('admins seeded'))['created']),
    );
    expect(created.filter((emails) => (emails as string[]).length > 0)).to.have.length(1);
    for (const address of addresses) expect((await fetch(`${address}/readyz`)).status).to.equal(200);
  });

  /** Blocks a boot with another transaction, kills the blocked process, and checks the next start. */
  const killHolder = async (blockade: string, waiting: string) => {
    const blocker = await database.connect();
    await blocker.query(`begin; ${blockade}`);
    const holder = start();
    await waitsFor(waiting);
    const next = start();
    await next.said('waiting for the boot lock');
    await holder.end('SIGKILL');
    await blocker.query('rollback');
    await next.ready();
    await expectWhole();
  };

  it("is completed by the next start when the lock's holder is killed during a migration", () =>
    killHolder('create table users (blocks int)', 'create table "users"'));

  it("is completed by the next start when the lock's holder is killed between the migrations and the seed", async () => {
    await database.drop();
    database = await createMigratedDatabase();
    await killHolder('lock table users in access exclusive mode', 'from users');
  });

  for (const [what, blockade] of [
    ['an account to restore', `select from users where email = 'ada@example.com' for update`],
    ['the table of accounts', 'lock table users in access exclusive mode'],
  ] as const) {
    it(`waits for ${what} beyond the limits of requests, without a second attempt`, async () => {
      expect(await (await ready(start())).end('SIGTERM')).to.equal(0);
      await database.query(`update users set role = 'user' where email = 'ada@example.com'`);
      const blocker = await database.connect();
      await blocker.query(`begin; ${blockade}`);
      const server = start({ DATABASE_STATEMENT_TIMEOUT_MS: '100' });
      // Requests would have been given up after 1.1 s.
      const waiting = `
        select from pg_stat_activity
         where datname = $1 and wait_event_type = 'Lock' and now() - query_start > interval '2 seconds'`;
      await until(
        'the start to wait',
        async () => (await database.query(waiting, [database.name])).length > 0,
      );
      await blocker.query('rollback');
      await ready(server);
      await server.said('restored admin, as INITIAL_ADMINS says; to take it away, remove it there first');
      expect(server.lines.filter(({ msg }) => msg === 'waiting for the boot lock')).to.deep.equal([]);
      await expectWhole();
    });
  }

  it('survives being killed at any moment', async () => {
    const moments = ['stopping at once', 'Processing', 'Applied', 'admins seeded', 'ready'];
    for (const moment of moments) {
      const victim = start({ LOG_LEVEL: 'info' });
      const reached = new Promise<void>((resolve) => {
        if (moment === 'stopping at once') resolve();
        victim.child.stdout?.on('data', (text: Buffer) => text.includes(moment) && resolve());
        victim.child.on('close', () => resolve());
        // A migrated database logs no "Processing".
        victim.ready().then(
          () => resolve(),
          () => undefined,
        );
      });
      await reached;
      await victim.end('SIGKILL');
    }
    await start().ready();
    await expectWhole();
  });

  it('exits 1 when another process holds the lock beyond the timeout', async () => {
    const blocker = await database.connect();
    await blocker.query('begin; create table users (blocks int)');
    const holder = start();
    await waitsFor('create table "users"');
    const late = start({ BOOT_TIMEOUT_MS: '3000' });
    expect(await late.ended()).to.equal(1);
    expect(late.lines.map(({ msg }) => msg).join('\n')).to.match(
      /Another process holds the boot lock.*\(3000 ms\)/,
    );
    await blocker.query('rollback');
    await holder.ready();
  });

  it('waits for a database that is late, and logs each attempt', async () => {
    const proxy = await startProxy(database.url, { cut: true });
    const server = start({ DATABASE_URL: proxy.url });
    await server.said('database unavailable; trying again; if this lasts, check DATABASE_URL and the server');
    await proxy.mend();
    await server.ready();
    await expectWhole();
    await server.end('SIGTERM');
    await proxy.close();
  });

  it('exits 1 when the database stays unavailable, without logging the password', async () => {
    const server = start({
      DATABASE_URL: 'postgres://me:very-secret@127.0.0.1:1/x',
      BOOT_TIMEOUT_MS: '3000',
    });
    expect(await server.ended()).to.equal(1);
    const refusals = server.lines.filter(({ msg }) => msg.startsWith('database unavailable'));
    expect(refusals.length).to.be.greaterThan(1);
    expect(server.lines.map(({ msg }) => msg)).to.satisfy((all: string[]) =>
      all.some((msg) => /did not answer within BOOT_TIMEOUT_MS \(3000 ms\): .*ECONNREFUSED/.test(msg)),
    );
    expect(JSON.stringify(server.lines) + server.output.join()).not.to.include('very-secret');
  });

  it('exits 1 with the name of a failed migration, and leaves the database unchanged', async () => {
    // A table of this name would be adopted.
    await database.query('create type users as (something_else int)');
    const server = start();
    expect(await server.ended()).to.equal(1);
    expect(JSON.stringify(server.lines)).to.match(
      /Migration Migration20261123000000_users failed: .*already exists/,
    );
    const columns = `select attname from pg_attribute where attrelid = 'users'::regclass`;
    expect(await database.query(columns)).to.deep.equal([{ attname: 'something_else' }]);
  });

  it('serves a database that is newer than the code, and logs its unknown migrations', async () => {
    await start().ready();
    await database.query(`insert into rollcall_migrations (name) values ('Migration29990101000000_later')`);
    const older = start();
    const address = await older.ready();
    expect(JSON.stringify(older.lines)).to.match(/"level":40[^}]*Migration29990101000000_later/);
    expect((await fetch(`${address}/readyz`)).status).to.equal(200);
  });

  it('exits 1 before it asks the database when its port is taken, with the setting to change', async () => {
    const { port } = new URL(await start().ready());
    const empty = await createEmptyDatabase();
    const second = start({ PORT: port, DATABASE_URL: empty.url });
    expect(await second.ended()).to.equal(1);
    expect(second.lines.map(({ msg }) => msg)).to.deep.equal([
      `Port ${port} of 127.0.0.1 is taken: stop the program that listens there, or set PORT to a free one.`,
      'stopped',
    ]);
    expect(await empty.query(`select from pg_tables where schemaname = 'public'`)).to.deep.equal([]);
    await empty.drop();
  });

  it('exits 1 before it asks the database when its host is not its own, with the setting to change', async () => {
    const server = start({ HOST: '192.0.2.1', PORT: '8000' });
    expect(await server.ended()).to.equal(1);
    expect(server.lines[0]?.msg).to.match(/^192\.0\.2\.1 is no address of this machine: set HOST /);
    expect(await database.query(`select from pg_tables where schemaname = 'public'`)).to.deep.equal([]);
  });

  it('exits 78 before it asks the database when PREFERENCES_SCHEMA names no file', async () => {
    const server = start({ PREFERENCES_SCHEMA: '/nowhere/schema.json' });
    expect(await server.ended()).to.equal(78);
    expect(server.lines[0]?.msg).to.match(/^PREFERENCES_SCHEMA: \/nowhere\/schema\.json: ENOENT/);
    expect(await database.query(`select from pg_tables where schemaname = 'public'`)).to.deep.equal([]);
  });

  it('warns when it looks deployed and ENVIRONMENT was forgotten, and only then', async () => {
    const deployed = { KUBERNETES_SERVICE_HOST: '10.0.0.1', DATABASE_URL: database.url };
    const warned = async (env: NodeJS.ProcessEnv) => {
      // An invalid schema, so that it ends by itself.
      const server = start({ ...deployed, PREFERENCES_SCHEMA: '/nowhere', ...env });
      expect(await server.ended()).to.equal(78);
      return server.output.filter((line) => line.startsWith('Warning:'));
    };
    const [warning = '', ...more] = await warned({ ENVIRONMENT: '' });
    expect(more).to.deep.equal([]);
    expect(warning).to.match(/^Warning: KUBERNETES_SERVICE_HOST is set, but ENVIRONMENT is not set/);
    expect(warning).to.include('Set ENVIRONMENT=production');
    for (const env of [
      { ENVIRONMENT: 'development' },
      { ENVIRONMENT: 'test' },
      { ENVIRONMENT: '', NODE_ENV: 'development' },
    ]) {
      expect(await warned(env)).to.deep.equal([]);
    }
  });

  it('exits 78 before it uses the network when its settings are invalid', async () => {
    const server = start({ PORT: '12abc', DATABASE_POOL_MAX: '1', INITIAL_ADMINS: 'ada@example.com,nobody' });
    expect(await server.ended()).to.equal(78);
    const said = server.output.join('\n');
    for (const word of ['PORT', 'DATABASE_POOL_MAX', 'INITIAL_ADMINS', 'nobody'])
      expect(said).to.include(word);
    expect(server.lines).to.deep.equal([]);
    expect(await database.query(`select to_regclass('rollcall_migrations') as ledger`)).to.deep.equal([
      { ledger: null },
    ]);
  });

  it('stops at once and cleanly on a signal while it waits', async () => {
    const server = start({ DATABASE_URL: 'postgres://me@127.0.0.1:1/x' });
    await server.said('database unavailable; trying again; if this lasts, check DATABASE_URL and the server');
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  for (const migrates of ['true', 'false']) {
    it(`starts, answers and stops with the longest times that settings allow, MIGRATE_ON_BOOT=${migrates}`, async () => {
      const times = variables.filter(({ env }) => env.endsWith('_MS')) as (Variable & { max: number })[];
      expect(times.length).to.be.greaterThan(5);
      const server = start({
        ...Object.fromEntries(times.map(({ env, max }) => [env, `${max}`])),
        MIGRATE_ON_BOOT: migrates,
      });
      if (migrates === 'false') {
        await server.said('answering probes');
        await ready(start());
      }
      const address = await server.ready();
      expect((await fetch(`${address}/healthz`)).status).to.equal(200);
      expect(await server.end('SIGTERM')).to.equal(0);
      // Node says so where a timer was given more than it can count.
      expect(server.output.join('\n')).not.to.include('TimeoutOverflowWarning');
    });
  }
});
