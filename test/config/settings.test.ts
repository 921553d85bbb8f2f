import { resolve } from 'node:path';
import { expect } from 'chai';
import { variables } from '../../config/schema.ts';
import { loadSettings, SettingsError } from '../../config/settings.ts';

const SECRET = 'only-for-tests-0123456789-abcdefghij';
const URL_ = 'postgres://app:hunter2@db.internal:5432/app';
const PRODUCTION = { ENVIRONMENT: 'production', DATABASE_URL: URL_, AUTH_SECRET: SECRET };

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings(env);
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(SettingsError);
    return (error as SettingsError).problems;
  }
}

describe('settings', () => {
  it('have a default for everything in development', () => {
    expect(loadSettings({})).to.deep.equal({
      environment: 'development',
      host: '127.0.0.1',
      port: 8000,
      database: { url: null, poolMax: 10, connectTimeoutMs: 3000, statementTimeoutMs: 10_000 },
      dataDir: resolve('.data'),
      authSecret: null,
      initialAdmins: ['admin@example.com'],
      preferences: { maxBytes: 16_384, schema: null },
      history: { eraseAfterDays: 30 },
      logLevel: 'info',
      shutdownTimeoutMs: 10_000,
      bootTimeoutMs: 60_000,
    });
  });

  it('come from the environment, each from its variable', () => {
    expect(
      loadSettings({
        ENVIRONMENT: 'test',
        HOST: '::1',
        PORT: '0',
        DATABASE_URL: URL_,
        DATABASE_POOL_MAX: '2',
        DATABASE_CONNECT_TIMEOUT_MS: '100',
        DATABASE_STATEMENT_TIMEOUT_MS: '2147483647',
        DATA_DIR: 'elsewhere',
        AUTH_SECRET: SECRET,
        INITIAL_ADMINS: 'ada@example.com',
        PREFERENCES_MAX_BYTES: '2',
        PREFERENCES_SCHEMA: 'schema.json',
        ERASE_AFTER_DAYS: '0',
        LOG_LEVEL: 'silent',
        SHUTDOWN_TIMEOUT_MS: '101',
        BOOT_TIMEOUT_MS: '102',
      }),
    ).to.deep.equal({
      environment: 'test',
      host: '::1',
      port: 0,
      database: { url: URL_, poolMax: 2, connectTimeoutMs: 100, statementTimeoutMs: 2_147_483_647 },
      dataDir: resolve('elsewhere'),
      authSecret: SECRET,
      initialAdmins: ['ada@example.com'],
      preferences: { maxBytes: 2, schema: resolve('schema.json') },
      history: { eraseAfterDays: 0 },
      logLevel: 'silent',
      shutdownTimeoutMs: 101,
      bootTimeoutMs: 102,
    });
  });

  it('take an empty variable for an unset one', () => {
    const empty = Object.fromEntries(variables.map(({ env }) => [env, '']));
    expect(
      loadSettings({ ...empty, AUTH_SECRET_FILE: '', DATABASE_URL_FILE: '', NODE_ENV: '' }),
    ).to.deep.equal(loadSettings({}));
  });

  it('cannot be changed', () => {
    const settings = loadSettings({});
    for (const part of [
      settings,
      settings.database,
      settings.preferences,
      settings.history,
      settings.initialAdmins,
    ])
      expect(part).to.be.frozen;
  });

  it('leave alone the variables of others', () => {
    expect(problemsOf({ PROT: '80', PGHOST: 'db', constructor: 'x' })).to.deep.equal([]);
  });

  describe('the environment', () => {
    it('is ENVIRONMENT, or else NODE_ENV, or else development', () => {
      expect(loadSettings({ ENVIRONMENT: 'test', NODE_ENV: 'development' }).environment).to.equal('test');
      expect(loadSettings({ ENVIRONMENT: '', NODE_ENV: 'test' }).environment).to.equal('test');
      expect(loadSettings({}).environment).to.equal('development');
    });

    it('decides where to listen', () => {
      expect(loadSettings({ ENVIRONMENT: 'test' }).host).to.equal('127.0.0.1');
      expect(loadSettings(PRODUCTION).host).to.equal('0.0.0.0');
      expect(loadSettings({ ...PRODUCTION, HOST: '10.0.0.7' }).host).to.equal('10.0.0.7');
    });

    it('gives only development an admin that nobody asked for', () => {
      expect(loadSettings({ ENVIRONMENT: 'test' }).initialAdmins).to.deep.equal([]);
      expect(loadSettings(PRODUCTION).initialAdmins).to.deep.equal([]);
    });
  });

  describe('the first admins', () => {
    it('are normalised; blanks and doubles do no harm', () => {
      const { initialAdmins } = loadSettings({
        INITIAL_ADMINS: ' Ada@Example.COM,, grace@example.com ,ada@example.com,\tＡda@example.com,',
      });
      expect(initialAdmins).to.deep.equal(['ada@example.com', 'grace@example.com']);
    });

    it('are nobody where the list has only blanks', () => {
      expect(loadSettings({ INITIAL_ADMINS: ' , ,' }).initialAdmins).to.deep.equal([]);
    });
  });

  describe('accept', () => {
    const good: [name: string, value: string][] = [
      ['HOST', 'localhost'],
      ['HOST', '0.0.0.0'],
      ['HOST', '::'],
      ['HOST', 'my-host.internal.example'],
      ['PORT', '65535'],
      ['DATABASE_URL', 'postgresql://localhost/app'],
      ['DATABASE_URL', 'postgres://app:p%40ss%2Fw%23rd@[::1]:5433/app?sslmode=require'],
      ['DATABASE_URL', 'postgres://app@%2Fvar%2Frun%2Fpostgresql/app'],
      ['DATA_DIR', '/var/lib/rollcall'],
      ['AUTH_SECRET', 'é'.repeat(16)],
      ['AUTH_SECRET', 'changeme'.repeat(4)],
      ...['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map((level): [string, string] => [
        'LOG_LEVEL',
        level,
      ]),
    ];
    for (const [name, value] of good) {
      it(`${name}=${value}`, () => expect(problemsOf({ [name]: value })).to.deep.equal([]));
    }
  });

  describe('refuse', () => {
    const integers = [
      '12abc',
      '1.5',
      '-1',
      '+1',
      '1e3',
      '0x10',
      ' ',
      ' 80',
      '80 ',
      '080',
      '1,000',
      '٣',
      'Infinity',
      '99999999999999999999',
    ];
    const bounds: [name: string, min: number, max: number][] = [
      ['PORT', 0, 65_535],
      ['DATABASE_POOL_MAX', 2, 10_000],
      ['DATABASE_CONNECT_TIMEOUT_MS', 100, 2_147_483_647],
      ['DATABASE_STATEMENT_TIMEOUT_MS', 100, 2_147_483_647],
      ['ERASE_AFTER_DAYS', 0, 3_650],
      ['SHUTDOWN_TIMEOUT_MS', 100, 2_147_483_647],
      ['BOOT_TIMEOUT_MS', 100, 2_147_483_647],
    ];
    const choices = /^(ENVIRONMENT|LOG_LEVEL) must be one of the possible values: \[.+\], not "/;
    const url =
      /^DATABASE_URL must be postgres:\/\/user:password@host:port\/database, with .* percent-encoded$/;
    const bad: [name: string, value: string, problem: string | RegExp][] = [
      ['ENVIRONMENT', 'prod', choices],
      ['ENVIRONMENT', 'Production', choices],
      ['LOG_LEVEL', 'INFO', choices],
      ['LOG_LEVEL', 'loud', choices],
      ...['1.2.3', '256.0.0.1', ' ', 'http://localhost', 'localhost:8000', '[::1]', 'a..b'].map(
        (value): [string, string, string] => [
          'HOST',
          value,
          `HOST must be an IP address or a host name, not "${value}"`,
        ],
      ),
      ['DATA_DIR', ' ', 'DATA_DIR must be the path of a folder, not " "'],
      ['DATABASE_URL', 'app', url],
      ['DATABASE_URL', 'mysql://app:hunter2@db/app', url],
      ['DATABASE_URL', 'postgres:app', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db/', url],
      ['DATABASE_URL', 'postgres:///app', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db:99999/app', url],
      ['DATABASE_URL', 'postgres://app:hun#ter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12#hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12/hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12?hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2%@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2%ff@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2 @db/app', url],
      ['AUTH_SECRET', 'changeme', /^AUTH_SECRET must have 32 bytes or more/],
      ['AUTH_SECRET', 'x'.repeat(31), /^AUTH_SECRET must have 32 bytes or more/],
      [
        'INITIAL_ADMINS',
        'ada@example.com,Bob',
        'INITIAL_ADMINS must be email addresses separated by commas, not "Bob"',
      ],
      ['INITIAL_ADMINS', 'ada@', 'INITIAL_ADMINS must be email addresses separated by commas, not "ada@"'],
      [
        'INITIAL_ADMINS',
        'a@b.c;d@e.f',
        'INITIAL_ADMINS must be email addresses separated by commas, not "a@b.c;d@e.f"',
      ],
      [
        'INITIAL_ADMINS',
        'x\u2028y, z\nz',
        'INITIAL_ADMINS must be email addresses separated by commas, not "x\u2028y", "z\\nz"',
      ],
      ['INITIAL_ADMINS', `${'a'.repeat(250)}@example.com`, /^INITIAL_ADMINS must be email addresses/],
    ];
    for (const [name, min, max] of bounds) {
      it(`${name} unless it is a whole number from ${min} to ${max}`, () => {
        for (const value of [...integers, String(min - 1), String(max + 1)]) {
          const [problem, ...others] = problemsOf({ [name]: value });
          expect(problem, value).to.match(
            new RegExp(`^${name} must be a whole number from ${min} to ${max}(, not |$)`),
          );
          expect(others).to.deep.equal([]);
        }
      });
    }

    for (const [name, value, expected] of bad) {
      it(`${name}=${JSON.stringify(value)}`, () => {
        const problems = problemsOf({ [name]: value });
        expect(problems).to.have.lengthOf(1);
        if (typeof expected === 'string') expect(problems[0]).to.equal(expected);
        else expect(problems[0]).to.match(expected);
      });
    }

    it('what NODE_ENV says, naming it', () => {
      expect(problemsOf({ NODE_ENV: 'staging' })[0]).to.match(
        /^ENVIRONMENT \(from NODE_ENV\) must be one of .*, not "staging"$/,
      );
    });

    it('everything at once, one line each, in the order of the schema', () => {
      const all = Object.fromEntries(variables.map(({ env }) => [env, ' ']));
      const problems = problemsOf({ ...all, INITIAL_ADMINS: 'nobody' });
      expect(problems.map((problem) => problem.split(' ')[0])).to.deep.equal(variables.map(({ env }) => env));
      expect(problems.join('')).not.to.include('\n');
      expect(() => loadSettings({ ...all, INITIAL_ADMINS: 'nobody' })).to.throw(
        SettingsError,
        problems.join('\n'),
      );
    });
  });

  describe('in production', () => {
    it('need a database and a secret', () => {
      expect(problemsOf({ ENVIRONMENT: 'production' })).to.deep.equal([
        'DATABASE_URL must be set in production, to postgres://user:password@host:port/database',
        'AUTH_SECRET must be set in production, to 32 bytes or more, as from: openssl rand -base64 48',
      ]);
      expect(problemsOf({ NODE_ENV: 'production' })).to.have.lengthOf(2);
      expect(problemsOf({ ...PRODUCTION, DATABASE_URL: '', AUTH_SECRET: '' })).to.have.lengthOf(2);
    });

    it('are content with those two', () => {
      const { database, authSecret } = loadSettings(PRODUCTION);
      expect([database.url, authSecret]).to.deep.equal([URL_, SECRET]);
    });

    const example = variables.find(({ env }) => env === 'AUTH_SECRET')?.example ?? '';
    const placeholders = [
      example,
      'changeme'.repeat(4),
      'change-me-'.repeat(4),
      'ChangeMe_'.repeat(4),
      'secret'.repeat(6),
      'changeme-secret-'.repeat(2),
      'a'.repeat(64),
      'Aa'.repeat(16),
      ' '.repeat(32),
      '€'.repeat(11),
    ];
    for (const placeholder of placeholders) {
      it(`refuse the placeholder ${JSON.stringify(placeholder)}, which will do elsewhere`, () => {
        expect(problemsOf({ ...PRODUCTION, AUTH_SECRET: placeholder })).to.deep.equal([
          'AUTH_SECRET must be a secret of your own in production, not a placeholder: openssl rand -base64 48',
        ]);
        expect(problemsOf({ ENVIRONMENT: 'test', AUTH_SECRET: placeholder })).to.deep.equal([]);
      });
    }
  });
});
