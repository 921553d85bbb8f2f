import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { signHs256 } from '../../src/security/hs256.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('behind PgBouncer in transaction mode', function () {
  this.timeout(60_000);

  let database: TestDatabase;
  let servers: ServerProcess[];
  let pooler: ChildProcess;
  let directory: string;

  beforeEach(async () => {
    database = await createEmptyDatabase();
    servers = [];
    directory = await mkdtemp(join(tmpdir(), 'rollcall-pgbouncer-'));
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    if (pooler.exitCode === null) {
      pooler.kill('SIGKILL');
      await once(pooler, 'exit');
    }
    await database.drop();
    await rm(directory, { recursive: true });
  });

  /** Starts PgBouncer before the database, with so few connections that waiting in one would block the rest. */
  const throughPooler = async (extra = ''): Promise<string> => {
    const target = new URL(database.url);
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    await new Promise((closed) => probe.close(closed));
    const users = join(directory, 'users.txt');
    const config = join(directory, 'pgbouncer.ini');
    await writeFile(users, `"${target.username}" "${decodeURIComponent(target.password)}"`);
    await writeFile(
      config,
      `[databases]\n* = host=${target.hostname} port=${target.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n` +
        `listen_port = ${port}\nunix_socket_dir =\nauth_type = plain\nauth_file = ${users}\n` +
        `pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\n${extra}\n`,
    );
    // It refuses to run as root, and its own user must be able to read what it is told.
    for (const [path, mode] of [
      [directory, 0o755],
      [users, 0o644],
      [config, 0o644],
    ] as const)
      await chmod(path, mode);
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    pooler = spawn('pgbouncer', [...user, config], { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries++) {
      const socket = connect(port, '127.0.0.1');
      const answered = await Promise.race([
        once(socket, 'connect').then(
          () => true,
          () => false,
        ),
        pause(1000),
      ]);
      socket.destroy();
      if (answered) break;
      await pause(20);
    }
    target.host = `127.0.0.1:${port}`;
    return target.href;
  };

  for (const [kind, extra] of [
    ['refuses the settings of a session', ''],
    ['ignores them', 'ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout'],
  ] as const) {
    it(`lets eight processes start at once on an empty database, with a pooler that ${kind}`, async () => {
      const url = await throughPooler(extra);
      const env = { DATABASE_URL: url, INITIAL_ADMINS: 'ada@example.com', RATE_LIMIT_STORE: 'database' };
      for (let n = 0; n < 8; n++) servers.push(startServer(env));
      const addresses = await Promise.all(servers.map((server) => server.ready()));

      const ready = await Promise.all(servers.map(async (server) => (await server.said('ready'))['passage']));
      expect(ready).to.deep.equal(Array(8).fill('pooled'));
      expect(await database.query('select email, role from users')).to.deep.equal([
        { email: 'ada@example.com', role: 'admin' },
      ]);
      const ledger = await database.query<{ name: string }>(
        'select name from mikro_orm_migrations order by id',
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
      // All by one account, and counted by all together.
      expect(await database.query('select points from rate_limits')).to.deep.equal([{ points: 160 }]);
    });
  }
});
