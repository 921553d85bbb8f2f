import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import type { Diagnosis } from '../../src/commands/doctor/index.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { programEnvironment, programOf } from '../support/programs.ts';
import { startPeopleProvider } from '../support/sign-in-provider.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

/** A port of loopback on which nobody listens, and that `fetch` does not refuse. */
const NOBODY = '127.0.0.1:2';

describe('npm run accounts -- doctor', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let folder: string;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    await database.query(`insert into users (email, role) values ('ada@example.com', 'admin')`);
    folder = await mkdtemp(join(tmpdir(), 'rollcall-doctor-'));
  });

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  /** Runs it in an empty folder. Not synchronously, so that servers of this process can answer it. */
  const run = async (more: NodeJS.ProcessEnv = {}, ...args: string[]) => {
    const child: ChildProcess = spawn(
      process.execPath,
      [programOf('src/commands/accounts.ts'), 'doctor', ...args],
      {
        cwd: folder,
        env: {
          ...programEnvironment(),
          ENVIRONMENT: 'test',
          AUTH_SECRET: SECRET,
          DATABASE_URL: database.url,
          IMPORT_MAX_BYTES: '1000',
          ...more,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const outputs = [child.stdout, child.stderr].map((stream) => text(stream as NodeJS.ReadableStream));
    const [[status], stdout = '', stderr = ''] = await Promise.all([once(child, 'close'), ...outputs]);
    return { status, stdout, stderr };
  };
  const diagnosis = async (more: NodeJS.ProcessEnv = {}) => {
    const { status, stdout, stderr } = await run(more, '--json');
    expect(stderr).to.equal('');
    const found = JSON.parse(stdout) as Diagnosis;
    expect(status).to.equal(found.status === 'problem' ? 1 : 0);
    // Whatever is not in order has something to do about it.
    for (const { level, mend } of found.findings) expect(mend === null).to.equal(level === 'ok');
    return found;
  };
  /** The findings of a check, as `level message`. */
  const of = ({ findings }: Diagnosis, check: string) =>
    findings.filter((one) => one.check === check).map(({ level, message }) => `${level} ${message}`);

  const serve = async (server: Server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const keysOf = async (...keys: object[]): Promise<KeyServer> => {
    const server = await serveKeys({ keys: keys as never });
    closing.push(server.close);
    return server;
  };

  it('finds everything in order, and says how the database is reached', async () => {
    const before = await database.query('select count(*) from changes');
    const found = await diagnosis({ INITIAL_ADMINS: 'ada@example.com' });
    // The test server runs without fsync.
    const warnings = found.findings.filter(({ level }) => level !== 'ok').map(({ message }) => message);
    expect(warnings).to.deep.equal(['a crash of the server can lose what was acknowledged: fsync = off']);
    const { host, username } = new URL(database.url);
    expect(of(found, 'database')).to.deep.equal([
      `ok ${database.name} at ${host} as ${username}: a primary, reached directly, not encrypted`,
    ]);
    expect(of(found, 'server')[0]).to.match(/^ok PostgreSQL \d+/);
    expect(of(found, 'migrations')).to.deep.equal(['ok all are applied']);
    expect(of(found, 'rights')).to.deep.equal(['ok the role may read and write all tables']);
    expect(of(found, 'search')[0]).to.match(/^ok pg_trgm is in the schema /);
    expect(of(found, 'admins')).to.deep.equal(['ok 1 active, 1 of them in INITIAL_ADMINS']);
    expect(of(found, 'clock')).to.deep.equal(['ok the clocks of the database and of this machine agree']);
    expect(of(found, 'secrets')).to.deep.equal(['ok one signs tokens']);
    expect(of(found, 'uploads')[0]).to.match(/^ok .* free; 5 imports at once may take 0\.0 GiB$/);
    expect(await database.query('select count(*) from changes')).to.deep.equal(before);
  });

  it('prints a line for each finding, below it what to mend, and a sum', async () => {
    await database.query(`delete from users`);
    const { status, stdout } = await run();
    expect(status).to.equal(1);
    expect(stdout).to.match(/^ok {7}node {9,}Node\.js \d/m);
    expect(stdout).to.match(
      /^problem {2}admins +there is no active admin\n +Name one in INITIAL_ADMINS and restart, or run: .* promote EMAIL$/m,
    );
    expect(stdout).to.match(/\n\n\d+ ok, 1 warnings, 1 problems\n$/);
  });

  it('works without a database, checks the rest, and quotes no password', async () => {
    const url = `postgres://app:hunter2@${NOBODY}/app`;
    const found = await diagnosis({ DATABASE_URL: url });
    expect(of(found, 'database')[0]).to.match(/^problem it does not answer: .*ECONNREFUSED/);
    expect(of(found, 'uploads')[0]).to.match(/^ok /);
    const wrong = new URL(database.url);
    wrong.username = 'nobody-of-that-name';
    const refused = await diagnosis({ DATABASE_URL: wrong.href });
    expect(of(refused, 'database')[0]).to.match(/^problem it refuses the connection: /);
    expect(JSON.stringify([found, refused])).not.to.include('hunter2');
    expect(JSON.stringify(refused)).not.to.include(wrong.password);
  });

  it('works with wrong settings: each is a problem, and none is quoted that is secret', async () => {
    const found = await diagnosis({
      PORT: '80a',
      AUTH_SECRET: 'hunter2',
      DATABASE_URL: 'postgres://hunter2@',
    });
    const problems = of(found, 'settings').map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(problems).to.have.members(['problem PORT', 'problem DATABASE_URL', 'problem AUTH_SECRET']);
    expect(of(found, 'others')).to.deep.equal(['warning nothing else is checked while settings are wrong']);
    expect(JSON.stringify(found)).not.to.include('hunter2');
  });

  it('works where the embedded database is not running, and does not start it', async () => {
    const found = await diagnosis({ DATABASE_URL: '', DATA_DIR: join(folder, 'data') });
    expect(of(found, 'database')[0]).to.match(/^warning the embedded PostgreSQL in .* is not running$/);
  });

  it('names pending migrations, and those of newer code', async () => {
    const empty = await createEmptyDatabase();
    closing.push(empty.drop);
    const pending = of(await diagnosis({ DATABASE_URL: empty.url }), 'migrations');
    expect(pending[0]).to.match(/^warning \d+ pending: Migration20261123000000_users, /);
    expect(await empty.query(`select to_regclass('rollcall_migrations') as ledger`)).to.deep.equal([
      { ledger: null },
    ]);
    await database.query(`insert into rollcall_migrations (name) values ('Migration29990101000000_x')`);
    expect(of(await diagnosis(), 'migrations')).to.deep.equal([
      'warning the database has migrations of newer code: Migration29990101000000_x',
    ]);
  });

  it('names missing indexes of the search, and admins that a start would bring back', async () => {
    await database.query('drop index users_name_search_index');
    await database.query(`insert into users (email, role) values ('bob@example.com', 'user')`);
    const found = await diagnosis({ INITIAL_ADMINS: 'ada@example.com,bob@example.com' });
    expect(of(found, 'search')).to.deep.equal(['warning indexes are missing: users_name_search_index']);
    expect(of(found, 'admins')).to.deep.equal([
      'warning bob@example.com of INITIAL_ADMINS is no active admin now',
    ]);
  });

  it('names the statement for a role without rights', async () => {
    const role = `${database.name}_role`;
    await database.query(`create role "${role}" login password 'secret'`);
    closing.push(() => database.query(`drop owned by "${role}"; drop role "${role}"`));
    const url = new URL(database.url);
    Object.assign(url, { username: role, password: 'secret' });
    const found = await diagnosis({ DATABASE_URL: url.href });
    expect(of(found, 'rights').join()).to.match(/^problem The role .* may not use .* The owner runs: grant /);
  });

  it('says how many connections a process needs, and how many the role may have', async () => {
    for (const [env, needed] of [
      [{}, 9003],
      [{ METRICS_PORT: '0' }, 9004],
    ] as const) {
      const found = await diagnosis({ DATABASE_POOL_MAX: '9000', ...env });
      expect(of(found, 'connections')[0]).to.match(
        new RegExp(`^warning a process opens up to ${needed} connections .*, and this role may have \\d+$`),
      );
    }
  });

  it('compares the clocks', async () => {
    const clock = (ms: number) =>
      `--import=data:text/javascript,const/**/now=Date.now;Date.now=()=>now()+${ms}`;
    const late = await diagnosis({ NODE_OPTIONS: clock(90_000) });
    expect(of(late, 'clock')[0]).to.match(
      /^problem the database's clock is 9\d\.\d s behind this machine's$/,
    );
    const early = await diagnosis({ NODE_OPTIONS: clock(-8_000) });
    expect(of(early, 'clock')[0]).to.match(
      /^warning the database's clock is \d\.\d s ahead of this machine's$/,
    );
  });

  it('fetches the keys of each issuer', async () => {
    const good = await keysOf(await exportJWK((await generateKeyPair('ES256')).publicKey));
    const empty = await keysOf();
    const issuer = (url: string, jwksUrl: string) => ({ issuer: url, jwksUrl, audience: 'web' });
    const found = await diagnosis({
      AUTH_ISSUERS: JSON.stringify([
        issuer(good.origin, good.url),
        issuer(empty.origin, `${empty.url}?key=hunter2`),
        issuer(`http://${NOBODY}`, `http://${NOBODY}/keys?key=hunter2`),
      ]),
    });
    const keys = of(found, 'provider keys');
    expect(keys.slice(0, 2)).to.deep.equal([`ok ${good.origin} has 1`, `problem ${empty.origin} has none`]);
    expect(keys[2]).to.match(/^problem http:\/\/127\.0\.0\.1:2\/keys: .*ECONNREFUSED/);
    expect(of(found, 'sign-in')[0]).to.match(/^warning each of these issuers can sign in every email/);
    expect(JSON.stringify(found)).not.to.include('hunter2');
  });

  it('asks the provider of the console how to sign in', async () => {
    const provider = await startPeopleProvider();
    const issuer = (url: string) => JSON.stringify([{ issuer: url, audience: 'web' }]);
    const client = { CONSOLE_OIDC_CLIENT_ID: 'web', CONSOLE_OIDC_CLIENT_SECRET: 'hunter2' };
    provider.register('http://localhost/unused');
    const good = await diagnosis({ ...client, AUTH_ISSUERS: issuer(provider.issuer) });
    expect(of(good, 'console')).to.deep.equal([
      `ok web signs in at ${provider.issuer}, which must know the redirect URI http://localhost/v1/session/oidc/callback`,
    ]);
    const gone = await diagnosis({ ...client, AUTH_ISSUERS: issuer(`http://${NOBODY}`) });
    expect(of(gone, 'console')[0]).to.match(
      /^problem http:\/\/127\.0\.0\.1:2 does not say how to sign in: .*ECONNREFUSED/,
    );
    const off = await diagnosis({ ...client, AUTH_ISSUERS: issuer(provider.issuer), CONSOLE: 'false' });
    expect(of(off, 'console')).to.deep.equal([]);
    expect(JSON.stringify([good, gone])).not.to.include('hunter2');
    await provider.close();
  });

  it('asks receivers of webhooks for their headers alone, and names those that fail', async () => {
    const methods: (string | undefined)[] = [];
    const url = await serve(
      createServer((request, response) => {
        methods.push(request.method);
        response.writeHead(request.url === '/broken' ? 500 : request.url === '/moved' ? 302 : 404).end();
      }),
    );
    const hook = (name: string, at: string) => ({ name, url: at, secret: WEBHOOK_SECRET });
    const WEBHOOKS = JSON.stringify([
      hook('crm', `${url}/hook?token=hunter2`),
      hook('broken', `${url}/broken`),
      hook('moved', `${url}/moved`),
      hook('gone', `http://${NOBODY}/`),
    ]);
    await database.query(
      `insert into webhooks (name, transaction_id, change_id, attempts, failing_since, parked_at, last_error)
       values ('crm', '1', 1, 9, now(), now(), 'status 410')`,
    );
    const found = await diagnosis({ WEBHOOKS, WEBHOOKS_ALLOW_PRIVATE: 'true' });
    const lines = of(found, 'webhooks');
    expect(lines).to.include.members([
      'ok crm answers (404 to HEAD)',
      'warning broken answers (500 to HEAD)',
      'warning moved answers (302 to HEAD)',
    ]);
    expect(lines.join('\n')).to.match(/^problem gone cannot be reached: .*ECONNREFUSED/m);
    expect(lines.join('\n')).to.match(/^problem crm is parked after 9 attempts since .*: status 410$/m);
    expect(methods).to.deep.equal(['HEAD', 'HEAD', 'HEAD']);
    expect(JSON.stringify(found)).not.to.include('hunter2').and.not.to.include(WEBHOOK_SECRET);
    const refused = of(await diagnosis({ WEBHOOKS }), 'webhooks');
    expect(refused.join('\n')).to.match(/^problem crm cannot be reached: .*private address/m);
  });

  it('says where uploads have no room, and where they cannot be stored', async () => {
    const full = await diagnosis({ IMPORT_MAX_BYTES: String(2 ** 40) });
    expect(of(full, 'uploads')[0]).to.match(/^warning .* free; 5 imports at once may take 5120\.0 GiB$/);
    const closed = await diagnosis({ TMPDIR: join(folder, 'missing') });
    expect(of(closed, 'uploads')[0]).to.match(/^problem ENOENT/);
  });

  it('checks the schema of preferences', async () => {
    const found = await diagnosis({ PREFERENCES_SCHEMA: join(folder, 'missing.json') });
    expect(of(found, 'preferences').concat(of(found, 'settings')).join('\n')).to.match(
      /^problem .*missing\.json/m,
    );
  });

  describe('with a server of its own', () => {
    let server: PostgresServer;

    afterEach(() => server.remove());

    const urlOf = ({ port }: PostgresServer) => `postgres://postgres@127.0.0.1:${port}/postgres`;

    it('names a transaction that the change feed waits for, and settings that lose data', async () => {
      server = await startPostgres({ settings: { max_prepared_transactions: '2', autovacuum: 'off' } });
      const writer = new pg.Client({ connectionString: urlOf(server) });
      writer.on('error', () => undefined);
      await writer.connect();
      closing.push(() => writer.end());
      await writer.query('create table t ()');
      await writer.query(`begin; insert into t default values; prepare transaction 'left'`);
      await writer.query('begin; insert into t default values');
      await server.query('select pg_sleep(5.5)');
      const found = await diagnosis({ DATABASE_URL: urlOf(server) });
      expect(of(found, 'server').join('\n'))
        .to.match(/^warning .*: fsync = off$/m)
        .and.to.match(/^warning autovacuum is off/m)
        .and.to.match(/^warning LC_CTYPE is C/m);
      const feed = of(found, 'feed').join('\n');
      expect(feed)
        .to.match(/^warning a transaction has been open for \d+ s after it has written/m)
        .and.to.match(/^warning prepared transactions are left over.*: left$/m);
    });

    it('refuses a read-only standby', async () => {
      const primary = await startPostgres();
      closing.push(primary.remove);
      server = await startPostgres({ primary });
      const found = await diagnosis({ DATABASE_URL: urlOf(server) });
      expect(of(found, 'database')[0]).to.match(/^problem The server is a read-only standby/);
    });

    it('looks at each read replica', async () => {
      const primary = await startPostgres();
      closing.push(primary.remove);
      server = await startPostgres({ primary });
      const foreign = await startPostgres();
      closing.push(foreign.remove);
      const gone = urlOf(server).replace(/@.*\//, `:hunter2@${NOBODY}/`);
      await server.query('select pg_wal_replay_pause()');
      const found = await diagnosis({
        DATABASE_URL: urlOf(primary),
        DATABASE_REPLICA_URLS: [server, primary, foreign].map(urlOf).concat(gone).join(','),
        DATABASE_POOL_MAX: '97',
      });
      expect(of(found, 'replica 1')).to.deep.equal([
        `ok postgres at 127.0.0.1:${server.port} as postgres: a standby, reached directly, not encrypted`,
        'warning a process opens up to 98 connections (DATABASE_POOL_MAX and 1), and this role may have 97',
        'warning its replay is paused',
        'warning long exports may be cut off by what the primary cleans up',
      ]);
      expect(of(found, 'connections')).to.deep.equal([
        'warning a process opens up to 102 connections (DATABASE_POOL_MAX and 5), and this role may have 97',
      ]);
      expect(of(found, 'replica 2')).to.deep.equal([
        'ok it is the primary now, and not read from as a replica',
      ]);
      expect(of(found, 'replica 3')).to.deep.equal(['problem it is left out: it belongs to another cluster']);
      expect(of(found, 'replica 4')[0]).to.match(/^problem it is left out: connect ECONNREFUSED/);
      expect(JSON.stringify(found)).not.to.include('hunter2');
    });
  });
});
