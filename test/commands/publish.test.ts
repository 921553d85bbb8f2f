import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import pg from 'pg';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { programEnvironment, programOf } from '../support/programs.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

describe('npm run accounts -- publish', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let servers: ServerProcess[];
  /** Roles of a test, which end with it. */
  let roles: string[];

  beforeEach(async () => {
    database = await createEmptyDatabase();
    servers = [];
    roles = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    const client = await database.connect();
    for (const role of roles)
      await client.query(
        `reassign owned by "${role}" to current_user; drop owned by "${role}"; drop role "${role}"`,
      );
    await database.drop();
  });

  const makeRole = async (suffix: string) => {
    const role = `${database.name}_${suffix}`;
    await database.query(`create role "${role}" login password 'secret'`);
    roles.push(role);
    return role;
  };
  const urlOf = (role?: string, query = '') => {
    const url = new URL(database.url);
    if (role !== undefined) Object.assign(url, { username: role, password: 'secret' });
    return url.href + query;
  };
  const start = async (url: string) => {
    const server = startServer({ DATABASE_URL: url, INITIAL_ADMINS: 'ada@example.com' });
    servers.push(server);
    return server.ready();
  };
  const startProgram = (url: string, args: string[]) =>
    spawn(process.execPath, [programOf('src/commands/accounts.ts'), ...args], {
      env: { ...programEnvironment(), ENVIRONMENT: 'test', AUTH_SECRET: SECRET, DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const run = async (url: string, ...args: string[]) => {
    const child = startProgram(url, args);
    const [[status], stdout, stderr] = await Promise.all([
      once(child, 'close'),
      text(child.stdout),
      text(child.stderr),
    ]);
    return { status, stdout, stderr };
  };
  const done = async (url: string, ...args: string[]) => {
    const { status, stdout, stderr } = await run(url, ...args);
    expect([status, stderr], args.join(' ')).to.deep.equal([0, '']);
    return stdout;
  };
  const refused = async (url: string, ...args: string[]) => {
    const { status, stdout, stderr } = await run(url, ...args);
    expect([status, stdout], args.join(' ')).to.deep.equal([77, '']);
    return stderr;
  };
  const invite = async (address: string, email: string) => {
    const response = await fetch(`${address}/v1/users`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ email }),
    });
    expect(response.status).to.equal(201);
    return ((await response.json()) as { id: number }).id;
  };
  /** Runs SQL in a new session of a role. */
  const as = async <Row extends pg.QueryResultRow>(role: string | undefined, sql: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: urlOf(role) });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const ids = async (role?: string) =>
    (await as<{ id: number }>(role, 'select id from rollcall.account_ids order by id')).map(({ id }) => id);
  const publication = async (url: string) =>
    (await run(url, 'doctor')).stdout.split('\n').filter((line) => line.includes('publication'));

  it('works beside a service that runs, and survives its next starts, also for a role that is named like the schema', async () => {
    // The embedded server's superuser is called `rollcall`: its search path, "$user", public, finds that schema first.
    const address = await start(urlOf());
    const app = await makeRole('app');
    expect(await publication(urlOf())).to.deep.equal([]);
    expect(await done(urlOf(), 'publish', '--to', app)).to.equal(
      'published: rollcall.accounts, rollcall.account_ids\n',
    );
    const grace = await invite(address, 'grace@example.com');
    expect(await ids(app)).to.deep.equal([1, grace]);
    expect(await as(undefined, 'select current_schema() as schema')).to.deep.equal([{ schema: 'public' }]);
    expect(await publication(urlOf())).to.deep.equal([
      'ok       publication  the app can use rollcall.accounts',
    ]);

    const again = await start(urlOf());
    const eve = await invite(again, 'eve@example.com');
    expect(await ids()).to.deep.equal([1, grace, eve]);
    const { code, said } = await mikroOrm({ DATABASE_URL: urlOf() }, 'migration:check');
    expect(code, said).to.equal(0);
    const dump = await mikroOrm({ DATABASE_URL: urlOf() }, 'schema:update', '--dump');
    expect(dump.said).to.include('Schema is up-to-date');
    expect(await done(urlOf(), 'verify')).to.include('3         3        0');

    await as(undefined, 'alter table users disable trigger users_keep_ids');
    await invite(again, 'new@example.com');
    expect((await publication(urlOf()))[0]).to.match(
      /^warning +publication +triggers on the accounts are missing or off; rollcall.account_ids does not agree with the accounts/,
    );
    await as(undefined, 'alter table users enable trigger users_keep_ids');
    await done(urlOf(), 'publish');
    expect((await publication(urlOf()))[0]).to.match(/^ok /);

    await as(undefined, 'create table notes (owner int references rollcall.account_ids)');
    expect(await refused(urlOf(), 'unpublish')).to.match(
      /^Something of the app depends on it: .*table notes/,
    );
    await as(undefined, 'drop table notes');
    expect(await done(urlOf(), 'unpublish', '--json')).to.include('"rollcall.accounts"');
    expect(await as(undefined, `select to_regnamespace('rollcall') as schema`)).to.deep.equal([
      { schema: null },
    ]);
    await invite(again, 'later@example.com');
  });

  it('needs no more rights than those of the owner, and says which one is missing', async () => {
    const [owner, server, app] = [await makeRole('owner'), await makeRole('server'), await makeRole('app')];
    await database.query(`grant usage, create on schema public to "${owner}"`);
    // As the owner has it: pg_trgm is there, because it may not create extensions.
    await database.query('create extension if not exists pg_trgm');
    await start(urlOf(owner));
    expect(await refused(urlOf(owner), 'publish', '--to', app)).to.equal(
      `The role ${owner} may not create schemas in the database ${database.name}. Its owner runs: ` +
        `create schema rollcall authorization "${owner}"\n`,
    );
    expect(await refused(urlOf(owner), 'publish', '--to', 'nobody')).to.equal('There is no role nobody.\n');
    const misused = await run(urlOf(owner), 'publish', app);
    expect(misused.status).to.equal(64);
    expect(misused.stderr).to.include(`--to ${app}`);
    await database.query('create schema rollcall');
    const [, statement = ''] = (await refused(urlOf(owner), 'publish')).split('Its owner runs: ');
    await database.query(statement);
    await done(urlOf(owner), 'publish', '--to', app);

    // A role that only serves needs no right on it, and may not publish.
    await database.query(`
      grant usage on schema public to "${server}";
      grant select, insert, update, delete on all tables in schema public to "${server}";
      grant usage on all sequences in schema public to "${server}"`);
    const address = await start(urlOf(server));
    const grace = await invite(address, 'grace@example.com');
    expect(await ids(app)).to.deep.equal([1, grace]);
    expect((await publication(urlOf(server)))[0]).to.match(/^ok /);
    expect(await refused(urlOf(server), 'publish')).to.match(/may not create tables in the schema rollcall/);
    await database.query(`grant usage, create on schema rollcall to "${server}" with grant option`);
    expect(await refused(urlOf(server), 'publish')).to.match(/must be owner of .*: publish as the owner/);
    expect(await refused(urlOf(server), 'unpublish')).to.match(/must be owner of .*: publish as the owner/);

    // The app has what it was given, and no way to the tables behind it.
    expect(await as(app, 'select email from rollcall.accounts order by id')).to.deep.equal([
      { email: 'ada@example.com' },
      { email: 'grace@example.com' },
    ]);
    for (const sql of ['select from users', 'select from changes', 'create table rollcall.mine (id int)'])
      expect(
        await as(app, sql).then(
          () => 'done',
          (error) => error.message,
        ),
        sql,
      ).to.include('permission denied');
    await done(urlOf(owner), 'unpublish');
    // The schema was there before.
    expect(await as(undefined, `select to_regnamespace('rollcall') is not null as there`)).to.deep.equal([
      { there: true },
    ]);
  });

  it('works in the schema of the tables themselves, under that name', async () => {
    await database.query('create schema rollcall');
    const url = urlOf(undefined, '?schema=rollcall');
    await start(url);
    await done(url, 'publish');
    expect(await ids()).to.deep.equal([1]);
    const { code, said } = await mikroOrm({ DATABASE_URL: url }, 'migration:check');
    expect(code, said).to.equal(0);
    const address = await start(url);
    await done(url, 'unpublish');
    await invite(address, 'grace@example.com');
    expect(await as(undefined, 'select count(*)::int as count from rollcall.users')).to.deep.equal([
      { count: 2 },
    ]);
  });

  it('is whole after another run, where it was killed on the way', async () => {
    const address = await start(urlOf());
    const app = await makeRole('app');
    await done(urlOf(), 'publish');
    // As the first run found it, but for a row that another transaction holds: that stops it before the ids.
    await as(undefined, 'drop trigger users_keep_ids on users; drop trigger users_keep_deleted_ids on users');
    await database.query('truncate rollcall.account_ids');
    const holder = await database.connect();
    await holder.query('begin; insert into rollcall.account_ids values (1)');
    const child = startProgram(urlOf(), ['publish', '--to', app]);
    await until('it waits for the row', async () => {
      const waiting = await database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into rollcall.account_ids%'`,
      );
      return waiting.length > 0;
    });
    child.kill('SIGKILL');
    await once(child, 'close');
    await holder.query('rollback');
    // The triggers work, and the app may use nothing yet.
    const grace = await invite(address, 'grace@example.com');
    expect(await as(app, 'select from rollcall.account_ids').catch((error) => error.message)).to.include(
      'permission denied',
    );
    await done(urlOf(), 'publish', '--to', app);
    expect(await ids(app)).to.deep.equal([1, grace]);
  });

  it('prints its SQL, which somebody else can run', async () => {
    await start(urlOf());
    const app = await makeRole('app');
    const printed = await done(urlOf(), 'publish', '--to', app, '--print');
    expect(printed).to.match(/^begin;\n/);
    expect(await as(undefined, `select to_regnamespace('rollcall') as schema`)).to.deep.equal([
      { schema: null },
    ]);
    await as(undefined, printed);
    expect(await ids(app)).to.deep.equal([1]);
    expect(await publication(urlOf())).to.have.length(1);
  });
});
