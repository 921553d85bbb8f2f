import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { expectProblem } from './support/problem.ts';
import { programEnvironment, programOf } from './support/programs.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';

const FIRST = 'Migration20261123000000_users';

describe('a start with MIGRATE_ON_BOOT=false', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let servers: ServerProcess[];

  beforeEach(() => {
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await database.drop();
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    const server = startServer({
      MIGRATE_ON_BOOT: 'false',
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      ...env,
    });
    servers.push(server);
    return server;
  };
  const migrate = () => {
    const { status, stderr } = spawnSync(process.execPath, [programOf('src/commands/migrate.ts'), '--yes'], {
      cwd: join(import.meta.dirname, '..'),
      env: { ...programEnvironment(), ENVIRONMENT: 'test', DATABASE_URL: database.url },
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
  };
  const admins = () => database.query(`select email from users where role = 'admin'`);

  it('waits for migrations, answers probes meanwhile, and then seeds the admins and serves', async () => {
    database = await createEmptyDatabase();
    const server = start({ BASE_PATH: '/rollcall' });
    const waiting = await server.said(
      'waiting for migrations; run the command migrate, because MIGRATE_ON_BOOT is false',
    );
    expect((waiting['migrations'] as string[])[0]).to.equal(FIRST);
    const { address } = await server.said('answering probes');
    for (const path of ['/healthz', '/healthz/', '/rollcall/healthz']) {
      const alive = await fetch(`${address}${path}`);
      expect([alive.status, await alive.json()]).to.deep.equal([200, { status: 'alive' }]);
    }
    for (const path of ['/readyz', '/rollcall/v1/me']) {
      const response = await fetch(`${address}${path}`);
      expect(response.headers.get('retry-after')).to.equal('1');
      const { detail } = await expectProblem(response, 503, 'not_ready');
      expect(detail).to.match(new RegExp(`^Migrations are pending: ${FIRST}, `));
    }
    // It has changed nothing.
    expect(await database.query(`select to_regclass('users') as users`)).to.deep.equal([{ users: null }]);

    migrate();
    expect((await fetch(`${await server.ready()}/readyz`)).status).to.equal(200);
    expect(await admins()).to.deep.equal([{ email: 'ada@example.com' }]);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('ends with the command to run, when nobody has migrated within BOOT_TIMEOUT_MS', async () => {
    database = await createEmptyDatabase();
    const server = start({ BOOT_TIMEOUT_MS: '1500' });
    expect(await server.ended()).to.equal(1);
    const [fatal] = server.lines.filter(({ level }) => level === 60);
    expect(fatal?.msg).to.match(
      new RegExp(`^Migrations are pending, and MIGRATE_ON_BOOT is false: ${FIRST}, .*Run: (node|npm run) `),
    );
  });

  it('ends at once with exit code 0 at a signal, while it waits', async () => {
    database = await createEmptyDatabase();
    const server = start();
    await server.said('answering probes');
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('serves and seeds on a migrated database, and does not build what is missing', async () => {
    database = await createMigratedDatabase();
    await database.query('drop index users_name_search_index');
    const server = start();
    await server.ready();
    const missing = await server.said(
      'no indexes for the search, which works, but slower; run the statement',
    );
    expect(missing['reason']).to.equal('missing: users_name_search_index');
    expect(missing['statement']).to.match(/\bmigrate\b/);
    expect(await admins()).to.deep.equal([{ email: 'ada@example.com' }]);
    expect(await database.query(`select to_regclass('users_name_search_index') as index`)).to.deep.equal([
      { index: null },
    ]);
  });
});
