import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt, jwtVerify } from 'jose';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp } from '../support/app.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { invocationIn, programEnvironment, programOf } from '../support/programs.ts';

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+\n$/;
const PRODUCTION = {
  ENVIRONMENT: 'production',
  DATABASE_URL: 'postgres://rollcall:hunter2@db.invalid/rollcall',
  AUTH_SECRET: SECRET,
};

describe('npm run token', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-token-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs what `npm run token` runs, in the test's folder, with only `env` as its environment. */
  const run = (args: string[], env: NodeJS.ProcessEnv = { AUTH_SECRET: SECRET }) =>
    spawnSync(process.execPath, [programOf('src/commands/token.ts'), ...args], {
      cwd: folder,
      env: { ...programEnvironment(), ...env },
      encoding: 'utf8',
    });

  it('prints a token and nothing else for an active account, and the service accepts it', async () => {
    const app = await startApp();
    try {
      await addAccount(app.database, 'ada@example.com');
      const { status, stdout, stderr } = run(['Ada@Example.com'], {
        AUTH_SECRET: SECRET,
        DATABASE_URL: app.database.url,
      });
      expect([status, stderr]).to.deep.equal([0, '']);
      expect(stdout).to.match(TOKEN);
      const headers = { Authorization: `Bearer ${stdout.trim()}` };
      expect(await (await app.call('/v1/me', { headers })).json()).to.include({ email: 'ada@example.com' });
    } finally {
      await app.close();
    }
  });

  it('needs no settings in development: it creates the secret that the service uses', () => {
    const { status, stdout, stderr } = run(['ada@example.com'], {});
    expect([status, stderr]).to.deep.equal([
      0,
      'Not checked whether there is an account ada@example.com: the service is not running.\n',
    ]);
    expect(stdout).to.match(TOKEN);
    expect(readdirSync(join(folder, '.data'))).to.deep.equal(['auth-secret']);
  });

  it('issues a token for an hour', () => {
    const { iat = 0, exp = 0, email } = decodeJwt(run(['ada@example.com']).stdout.trim());
    expect(exp - iat).to.equal(3600);
    expect(exp).to.be.above(Date.now() / 1000);
    expect(email).to.equal('ada@example.com');
  });

  for (const [args, seconds] of [
    [['--ttl', '30s'], 30],
    [['--ttl=15m'], 900],
    [['--ttl', '7d'], 604_800],
  ] as const) {
    it(`issues one for another time with ${args.join(' ')}`, () => {
      const { stdout } = run([...args, 'ada@example.com']);
      const { iat = 0, exp = 0 } = decodeJwt(stdout.trim());
      expect(exp - iat).to.equal(seconds);
    });
  }

  it('signs with the newest secret, and puts the email into the configured claim', async () => {
    const newest = `${SECRET}, the newest`;
    const env = { AUTH_SECRET: SECRET, AUTH_SECRET_2: newest, AUTH_EMAIL_CLAIM: 'https://example.com/email' };
    const token = run(['ada@example.com'], env).stdout.trim();
    const { payload } = await jwtVerify(token, Buffer.from(newest));
    expect(payload).to.have.all.keys('https://example.com/email', 'iat', 'exp');
    expect(payload['https://example.com/email']).to.equal('ada@example.com');
  });

  it('prints its usage with --help', () => {
    const { status, stdout, stderr } = run(['--help'], {});
    expect([status, stderr]).to.deep.equal([0, '']);
    expect(stdout.split(' [')[0]).to.equal(`Usage: ${invocationIn('src/commands/token.ts', 'EMAIL')}`);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  const bad: [what: string, args: string[], complaint: RegExp][] = [
    ['nobody is named', [], /^Name one email address\./],
    ['two are named', ['ada@example.com', 'grace@example.com'], /^Name one email address\./],
    ['what is named is no email', ['ada'], /^ada is not an email address\./],
    ['the name is empty', [''], /^ is not an email address\./],
    ['an option is unknown', ['ada@example.com', '--role', 'admin'], /^Unknown option '--role'/],
    ['the time is missing', ['ada@example.com', '--ttl'], /^Option '--ttl <value>' argument missing/],
    [
      'the time is none',
      ['ada@example.com', '--ttl', 'soon'],
      /^--ttl must be a number followed by s, m, h or d\./,
    ],
    [
      'the time has no unit',
      ['ada@example.com', '--ttl', '60'],
      /^--ttl must be a number followed by s, m, h or d\./,
    ],
  ];
  for (const [what, args, complaint] of bad) {
    it(`exits 64 with its usage on stderr when ${what}`, () => {
      const { status, stdout, stderr } = run(args);
      expect([status, stdout]).to.deep.equal([64, '']);
      expect(stderr).to.match(complaint);
      expect(stderr).to.include(`\n\nUsage: ${invocationIn('src/commands/token.ts', 'EMAIL')}`);
    });
  }

  it('says that it cannot sign where issuers sign everybody in', () => {
    const env = { AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'web' };
    const { status, stdout, stderr } = run(['ada@example.com'], env);
    expect([status, stdout]).to.deep.equal([64, '']);
    expect(stderr).to.match(/^Set AUTH_SECRET: without it, only the tokens of your issuers are accepted\./);
  });

  it('exits 78 with the names of invalid settings', () => {
    const { status, stdout, stderr } = run(['ada@example.com'], { AUTH_SECRET: 'short' });
    expect([status, stdout]).to.deep.equal([78, '']);
    expect(stderr).to.match(/^AUTH_SECRET must have 32 bytes or more/m);
  });

  it('refuses a secret file without a secret', () => {
    writeFileSync(join(folder, 'auth-secret'), '');
    const { status, stdout, stderr } = run(['ada@example.com'], { DATA_DIR: folder });
    expect(status).not.to.equal(0);
    expect(stdout).to.equal('');
    expect(stderr).to.include('holds no secret: remove it');
  });

  it('is refused in production', () => {
    const { status, stdout, stderr } = run(['ada@example.com'], PRODUCTION);
    expect(status).not.to.equal(0);
    expect(stdout).to.equal('');
    expect(stderr).to.match(/^In production, pass --force\./);
  });

  it('works in production with --force, without a database', () => {
    const { status, stdout, stderr } = run(['ada@example.com', '--force'], PRODUCTION);
    expect(status).to.equal(0);
    expect(stderr).to.match(/^Not checked whether there is an account ada@example\.com: .*db\.invalid/);
    expect(stderr).not.to.include('hunter2');
    expect(stdout).to.match(TOKEN);
  });

  describe('with a database', () => {
    const statements: [what: string, email: string, env: NodeJS.ProcessEnv, notice: string, args?: string][] =
      [
        [
          'there is no such account',
          'typo@example.com',
          {},
          'There is no account typo@example.com: this token is refused. Create the account: ',
          'invite typo@example.com',
        ],
        [
          'the first request creates the account',
          'new@example.com',
          { ACCESS_POLICY: 'open' },
          'There is no account new@example.com yet: the first request with this token creates it.',
        ],
        [
          'the account is suspended',
          'sue@example.com',
          {},
          'The account sue@example.com is suspended, and its tokens are refused. Restore it: ',
          'restore sue@example.com',
        ],
      ];
    for (const [what, email, env, notice, args] of statements) {
      it(`says on stderr that ${what}, and prints the token`, async () => {
        const app = await startApp();
        try {
          await addAccount(app.database, 'sue@example.com');
          await app.database.query(`update users set status = 'suspended'`);
          const result = run([email], { AUTH_SECRET: SECRET, DATABASE_URL: app.database.url, ...env });
          const call = args === undefined ? '' : invocationIn('src/commands/accounts.ts', args);
          expect([result.status, result.stderr]).to.deep.equal([0, `${notice}${call}\n`]);
          expect(result.stdout).to.match(TOKEN);
        } finally {
          await app.close();
        }
      });
    }

    it('says that nothing was checked where the database is empty', async () => {
      const database = await createEmptyDatabase();
      try {
        const result = run(['ada@example.com'], { AUTH_SECRET: SECRET, DATABASE_URL: database.url });
        expect(result.status).to.equal(0);
        expect(result.stderr).to.match(/^Not checked whether there is an account ada@example\.com: /);
        expect(result.stdout).to.match(TOKEN);
      } finally {
        await database.drop();
      }
    });
  });

  it('never prints the secret', () => {
    for (const args of [['ada@example.com'], ['ada'], ['--help'], []]) {
      const { stdout, stderr } = run(args, PRODUCTION);
      expect(stdout + stderr).not.to.include(SECRET);
    }
  });
});
