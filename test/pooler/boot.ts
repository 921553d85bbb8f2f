import { readdir } from 'node:fs/promises';
import { expect } from 'chai';
import { startupSettings } from '../../src/database/session-settings.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

const NO_TIMEOUT = { statementTimeoutMs: 0, searchPath: undefined, checksClients: true, endsIdle: true };

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('behind PgBouncer in transaction mode', function () {
  this.timeout(60_000);

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
});
