import { expect } from 'chai';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { type DatabaseProxy, startProxy } from './support/proxy.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';
import { WEBHOOK_SECRET } from './support/webhooks.ts';

const HOOK = { WEBHOOKS: JSON.stringify([{ url: 'https://crm.example.com/hook', secret: WEBHOOK_SECRET }]) };

/** What a start may wait for in a database, and its settings. */
const LOCKS: readonly (readonly [what: string, statement: string, env?: NodeJS.ProcessEnv])[] = [
  ['the table of migrations', 'lock table rollcall_migrations'],
  ['the accounts', 'lock table users'],
  ['the account of an admin', `select from users where email = 'ada@example.com' for update`],
  ['an index that is built while others write', `insert into users (email) values ('grace@example.com')`],
  ['the table of webhooks', 'lock table webhooks', HOOK],
];

/** Takes the boot lock until the end of the transaction. */
const BOOT_LOCK = "select pg_advisory_xact_lock(x'726f6c6c63616c6c'::bigint)";

/** Makes the last migration pending. */
const FORGET = 'delete from rollcall_migrations where id = (select max(id) from rollcall_migrations)';

/** Names the session of the tests. */
const HELD = /It waited for a lock that others hold: session \d+ \(the holder, /;

describe('a start that waits', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let wire: DatabaseProxy;
  let server: ServerProcess;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    // The start promotes it, and builds an index that is missing.
    await database.query(`insert into users (email) values ('ada@example.com')`);
    await database.query('drop index users_name_search_index');
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await wire.close();
    await database.drop();
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com', ...env });
    return server;
  };
  const sessions = (condition: string) =>
    database.query(
      `select pid from pg_stat_activity where datname = $1 and application_name like 'rollcall%' and ${condition}`,
      [database.name],
    );
  const waits = () =>
    until('the start to wait', async () => (await sessions(`wait_event_type = 'Lock'`)).length > 0);
  const expectNoSession = () => until('its end', async () => (await sessions('true')).length === 0);

  for (const [what, statement, env = {}] of LOCKS) {
    it(`for ${what} ends at its deadline, and names who holds the lock`, async () => {
      const holder = await database.connect();
      await holder.query(`set application_name = 'the holder'; begin; ${statement}`);
      start({ ...env, BOOT_TIMEOUT_MS: '6000' });
      expect(await server.ended()).to.equal(1);
      const [fatal] = server.lines.filter(({ level }) => level === 60).map(({ msg }) => msg);
      expect(fatal, JSON.stringify(server.lines)).to.match(HELD);
      expect(JSON.stringify(server.lines)).not.to.include('"stack"');
      await expectNoSession();
      await holder.query('rollback');
      await start(env).ready();
    });

    it(`for ${what} ends at once on a signal, and leaves nothing behind`, async () => {
      const holder = await database.connect();
      await holder.query(`begin; ${statement}`);
      start(env);
      await waits();
      expect(await server.end('SIGTERM')).to.equal(0);
      await expectNoSession();
      await holder.query('rollback');
      await start(env).ready();
    });
  }

  for (const [what, statement, env] of [
    ['the table of migrations', 'lock table rollcall_migrations', { BOOT_TIMEOUT_MS: '4000' }],
    ['the table of webhooks', 'lock table webhooks', { ...HOOK, BOOT_TIMEOUT_MS: '20000' }],
  ] as const) {
    it(`for ${what} names who holds the lock where the limit of a statement ends the wait`, async () => {
      const holder = await database.connect();
      await holder.query(`set application_name = 'the holder'; begin; ${statement}`);
      start({ ...env, DATABASE_STATEMENT_TIMEOUT_MS: '4000' });
      expect(await server.ended()).to.equal(1);
      expect(fatal()).to.match(HELD);
      await holder.query('rollback');
    });
  }

  it('for a database that accepts connections and says nothing ends at its deadline', async () => {
    wire.silence();
    start({ DATABASE_URL: wire.url, BOOT_TIMEOUT_MS: '1500' });
    expect(await server.ended()).to.equal(1);
    expect(server.lines.map(({ msg }) => msg).join('\n')).to.include('BOOT_TIMEOUT_MS (1500 ms)');
  });

  it('for a database that says nothing ends at once on a signal', async () => {
    wire.silence();
    start({ DATABASE_URL: wire.url, DATABASE_CONNECT_TIMEOUT_MS: '60000' });
    await until('an attempt to connect', () => wire.connections() > 0);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  /** The only fatal line, which has no stack: the database's faults are none of this program. */
  const fatal = () => {
    const [line, ...others] = server.lines.filter(({ level }) => level === 60);
    expect(others).to.deep.equal([]);
    expect(JSON.stringify(server.lines)).not.to.include('"stack"');
    return line?.msg;
  };

  it('for a database that falls silent meanwhile ends at its deadline, without a stack', async () => {
    const holder = await database.connect();
    await holder.query('begin; lock table rollcall_migrations');
    start({ DATABASE_URL: wire.url, BOOT_TIMEOUT_MS: '8000' });
    await waits();
    wire.silence();
    expect(await server.ended()).to.equal(1);
    expect(fatal()).to.match(/^The database was not prepared within BOOT_TIMEOUT_MS \(8000 ms\)\. /);
    await holder.query('rollback');
  });

  for (const [how, env] of [
    ['for the boot lock', {}],
    ['for migrations of another process', { MIGRATE_ON_BOOT: 'false' }],
  ] as const) {
    it(`${how} says what the database answers where that goes away meanwhile`, async () => {
      const holder = await database.connect();
      await holder.query(`begin; ${BOOT_LOCK}`);
      if ('MIGRATE_ON_BOOT' in env) await database.query(FORGET);
      start({ ...env, DATABASE_URL: wire.url, BOOT_TIMEOUT_MS: '8000' });
      await server.said('waiting for the boot lock');
      if ('MIGRATE_ON_BOOT' in env) {
        await holder.query('rollback');
        await server.said('answering probes');
      }
      await wire.cut();
      expect(await server.ended()).to.equal(1);
      expect(fatal()).to.match(
        /^The database was not prepared within BOOT_TIMEOUT_MS \(8000 ms\): connect ECONNREFUSED 127\.0\.0\.1:\d+$/,
      );
    });
  }

  for (const [when, env] of [
    ['at its deadline', { BOOT_TIMEOUT_MS: '4000' }],
    // Its last look begins soon after a second, and ends just after the deadline.
    [
      'where its last look ends by itself',
      { BOOT_TIMEOUT_MS: '4000', DATABASE_STATEMENT_TIMEOUT_MS: '3500' },
    ],
  ] as const) {
    it(`for migrations of another process names who holds the ledger, ${when}`, async () => {
      await database.query(FORGET);
      start({ ...env, MIGRATE_ON_BOOT: 'false' });
      await server.said('answering probes');
      const holder = await database.connect();
      await holder.query(`set application_name = 'the holder'; begin; lock table rollcall_migrations`);
      expect(await server.ended()).to.equal(1);
      expect(fatal()).to.match(HELD);
      await holder.query('rollback');
    });
  }
});
