import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startupSettings } from '../../src/database/session-settings.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { expectProblem } from '../support/problem.ts';
import { programEnvironment, programOf } from '../support/programs.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

const NO_TIMEOUT = {
  statementTimeoutMs: 0,
  lockTimeoutMs: 0,
  searchPath: undefined,
  checksClients: true,
  endsIdle: true,
  endsTransactions: true,
};

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('behind PgBouncer in transaction mode', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let servers: ServerProcess[];
  let pooler: Pooler;

  beforeEach(async () => {
    database = await createEmptyDatabase();
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await pooler.close();
    await database.drop();
  });

  for (const [kind, extra] of [
    ['refuses the settings of a session', ''],
    [
      'ignores them',
      `ignore_startup_parameters = ${Object.keys(startupSettings('direct', NO_TIMEOUT)).join()}`,
    ],
  ] as const) {
    it(`lets eight processes start at once on an empty database, with a pooler that ${kind}`, async () => {
      pooler = await startPooler(database, extra);
      const env = {
        DATABASE_URL: pooler.url,
        INITIAL_ADMINS: 'ada@example.com',
        RATE_LIMIT_STORE: 'database',
      };
      for (let n = 0; n < 8; n++) servers.push(startServer(env));
      const addresses = await Promise.all(servers.map((server) => server.ready()));

      const ready = await Promise.all(
        servers.map(async (server) => (await server.said('ready'))['connectionMode']),
      );
      expect(ready).to.deep.equal(Array(8).fill('pooled'));
      expect(await database.query('select email, role from users')).to.deep.equal([
        { email: 'ada@example.com', role: 'admin' },
      ]);
      const ledger = await database.query<{ name: string }>(
        'select name from rollcall_migrations order by id',
      );
      expect(ledger.map(({ name }) => `${name}.ts`)).to.deep.equal(
        (await readdir('migrations')).filter((name) => name.startsWith('Migration')).sort(),
      );
      // In this database: the embedded server's lease is a lock of the same key, in another one.
      const held = await database.query(
        `select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
         where datname = current_database() and locktype = 'advisory' and objid = 1667329132`,
      );
      expect(held).to.deep.equal([]);

      const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}` };
      const asked = addresses.flatMap((address) =>
        Array.from({ length: 20 }, () => fetch(`${address}/v1/me`, { headers })),
      );
      expect(new Set((await Promise.all(asked)).map(({ status }) => status))).to.deep.equal(new Set([200]));
      // All by one account, and counted by all processes together.
      expect(await database.query('select points from rate_limits')).to.deep.equal([{ points: 160 }]);
    });
  }

  it('refuses sessions of another isolation, with the statement that mends it, and starts afterwards', async () => {
    await database.query(
      `alter database "${database.name}" set default_transaction_isolation = 'serializable'`,
    );
    pooler = await startPooler(database);
    const env = { DATABASE_URL: pooler.url, INITIAL_ADMINS: 'ada@example.com' };
    const refused = startServer(env);
    servers.push(refused);
    expect(await refused.ended()).to.equal(78);
    const [fatal = ''] = refused.lines.filter(({ level }) => level === 60).map(({ msg }) => msg);
    const [statement = ''] =
      /alter role .* set default_transaction_isolation = 'read committed'/.exec(fatal) ?? [];
    expect(statement, fatal).not.to.equal('');
    await database.query(statement);
    await pooler.close();
    pooler = await startPooler(database);
    const server = startServer({ ...env, DATABASE_URL: pooler.url });
    servers.push(server);
    await server.ready();
  });

  it('publishes the accounts, also where the schema has the name of the role, and starts again', async () => {
    pooler = await startPooler(database);
    const start = () => {
      const server = startServer({ DATABASE_URL: pooler.url, INITIAL_ADMINS: 'ada@example.com' });
      servers.push(server);
      return server;
    };
    const first = await start().ready();
    const publish = () =>
      promisify(execFile)(process.execPath, [programOf('src/commands/accounts.ts'), 'publish'], {
        env: { ...programEnvironment(), ENVIRONMENT: 'test', DATABASE_URL: pooler.url },
      });
    // Its sessions would find the new schema first: "$user", public. Nothing is done before they are replaced.
    const refused: { code: number; stderr: string } = await publish().catch((error) => error);
    expect(refused.code).to.equal(77);
    const [, statement = ''] = refused.stderr.split('Run this, and reconnect the pooler: ');
    await database.query(statement);
    expect((await publish().catch((error) => error)).stderr).to.equal(refused.stderr);
    expect(await database.query(`select to_regnamespace('rollcall') as schema`)).to.deep.equal([
      { schema: null },
    ]);
    await pooler.restart();
    await publish();
    const second = await start().ready();
    for (const address of [first, second]) {
      const email = `${new URL(address).port}@example.com`;
      const response = await fetch(`${address}/v1/users`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({ email }),
      });
      expect(response.status).to.equal(201);
    }
    expect(await database.query('select id from rollcall.account_ids order by id')).to.have.length(3);
  });

  it('lets a write give up that meets a lock, although nothing can be set for a session', async () => {
    pooler = await startPooler(database);
    const server = startServer({ DATABASE_URL: pooler.url, INITIAL_ADMINS: 'ada@example.com' });
    servers.push(server);
    const address = await server.ready();
    const write = async () =>
      fetch(`${address}/v1/me`, {
        method: 'PATCH',
        body: '{"name":"Ada"}',
        headers: {
          Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}`,
          'Content-Type': 'application/json',
        },
      });
    const holder = await database.connect();
    await holder.query('begin; select from users for update');
    await expectProblem(await write(), 503, 'lock_timeout');
    await holder.query('rollback');
    expect((await write()).status).to.equal(200);
  });
});
