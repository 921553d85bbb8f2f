import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseDatabaseUrl } from '../../config/database-url.ts';
import { encryptionAttempts } from '../../src/database/tls.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { runDirectory } from '../support/run-directory.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

describe('a PostgreSQL with a certificate of a private authority', function () {
  this.timeout(120_000);

  let authority: Authority;
  let stranger: Authority;
  let server: PostgresServer;
  let started: ServerProcess[] = [];

  before(async () => {
    const folder = await mkdtemp(join(runDirectory(), 'certificates-'));
    authority = await createAuthority(folder, 'ours');
    stranger = await createAuthority(folder, 'theirs');
    const [complete, named] = [
      await authority.issue('DNS:localhost', 'IP:127.0.0.1'),
      await authority.issue('DNS:localhost'),
    ];
    server = await startPostgres({
      files: {
        'complete.key': complete.key,
        'complete.pem': complete.cert,
        'named.key': named.key,
        'named.pem': named.cert,
        'pg_hba.conf': 'local all all trust\nhostssl all all all trust\n',
      },
      settings: {
        ssl: 'on',
        ssl_cert_file: 'complete.pem',
        ssl_key_file: 'complete.key',
      },
    });
  });

  afterEach(async () => {
    await Promise.all(started.map((process) => process.end('SIGKILL')));
    started = [];
  });

  after(() => server.remove());

  const start = (env: NodeJS.ProcessEnv) => {
    const process = startServer(env);
    started.push(process);
    return process;
  };

  const urlOf = (host: string, parameters: string) =>
    `postgres://postgres@${host}:${server.port}/postgres?${parameters}`;
  const present = async (name: string) => {
    await server.query(`alter system set ssl_cert_file = '${name}.pem'`);
    await server.query(`alter system set ssl_key_file = '${name}.key'`);
    await server.query('select pg_reload_conf()');
  };

  for (const [host, parameters] of [
    ['127.0.0.1', 'sslmode=require'],
    ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=CA'],
    ['127.0.0.1', 'sslmode=verify-full&sslrootcert=CA'],
    ['localhost', 'sslmode=verify-full&sslrootcert=CA'],
    // The server lets nobody in without encryption.
    ['127.0.0.1', ''],
  ] as const) {
    it(`starts twice at ${host} with ${parameters || 'nothing said'}, encrypted, and writes nothing but JSON`, async () => {
      const url = urlOf(host, parameters.replace('CA', authority.path));
      for (const attempt of ['first', 'second']) {
        const process = start({ DATABASE_URL: url });
        const address = await process.ready();
        expect((await fetch(`${address}/readyz`)).status, attempt).to.equal(200);
        const sessions = await server.query(
          `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name like 'rollcall%'`,
        );
        expect(sessions, attempt).to.deep.equal([{ ssl: true }]);
        expect(await process.end('SIGTERM'), attempt).to.equal(0);
        expect(process.output, attempt).to.deep.equal([]);
      }
      expect((await mikroOrm({ DATABASE_URL: url }, 'migration:check')).said).to.include(
        'No changes required',
      );
    });
  }

  /** Expects a start to end with one fatal line, without a stack. */
  const expectRefusal = async (host: string, parameters: string, message: RegExp) => {
    const process = start({ DATABASE_URL: urlOf(host, parameters), BOOT_TIMEOUT_MS: '5000' });
    expect(await process.ended()).to.equal(78);
    const fatal = process.lines.filter(({ level }) => level === 60);
    expect(fatal.map(({ msg }) => msg).join('\n')).to.match(message);
    expect(process.output.join('\n') + JSON.stringify(process.lines)).not.to.match(/\n\s+at |"stack"/);
  };

  it('is refused under the certificate of another authority, and under none', async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full']) {
      await expectRefusal(
        '127.0.0.1',
        `sslmode=${mode}&sslrootcert=${stranger.path}`,
        /certificate.*sslrootcert/,
      );
    }
    await expectRefusal('127.0.0.1', 'sslmode=verify-full', /No authority that this machine trusts/);
  });

  it('is refused at an address that its certificate does not name, unless the host is not checked', async () => {
    await present('named');
    const trusted = `sslrootcert=${authority.path}`;
    await expectRefusal(
      '127.0.0.1',
      `sslmode=verify-full&${trusted}`,
      /does not name the host .*127\.0\.0\.1/,
    );
    for (const [host, mode] of [
      ['localhost', 'verify-full'],
      ['127.0.0.1', 'verify-ca'],
    ] as const) {
      const process = start({ DATABASE_URL: urlOf(host, `sslmode=${mode}&${trusted}`) });
      await process.ready();
      expect(await process.end('SIGTERM')).to.equal(0);
    }
  });
});

describe('a connection without sslmode', () => {
  for (const [host, attempts] of [
    ['localhost', [false, true]],
    ['127.0.0.1', [false, true]],
    ['[::1]', [false, true]],
    ['localhost.example.com', [true, false]],
    ['127.example', [true, false]],
    ['127.0.0.1,db.internal', [true, false]],
  ] as const) {
    it(`to ${host} is ${attempts[0] ? 'encrypted where the server can' : 'encrypted where the server demands it'}`, () => {
      expect(encryptionAttempts(parseDatabaseUrl(`postgres://${host}/app`))).to.deep.equal(attempts);
    });
  }
});
