import { join } from 'node:path';
import { expect } from 'chai';
import { variables } from '../../config/schema.ts';
import { loadSettings, type SettingsError } from '../../config/settings.ts';
import { folderFor, print, row } from './run.ts';

const SECRET = 'only-for-tests-0123456789-abcdefghij';
const URL_ = 'postgres://app:hunter2@db.internal:5432/app';

describe('lists', function () {
  const folder = folderFor(this, {
    admins: 'ada@example.com\ngrace@example.com,\r\n\r\nalan@example.com\n',
    issuers: '[{"issuer":"https://id.example.com","audience":"web"}]\n',
    proxies: '2\n',
  });
  const at = (name: string): string => join(folder, name);

  it('can come from files too, one item a line', () => {
    const settings = loadSettings({
      INITIAL_ADMINS_FILE: at('admins'),
      AUTH_ISSUERS_FILE: at('issuers'),
      TRUST_PROXY_FILE: at('proxies'),
    });
    expect(settings.initialAdmins).to.deep.equal([
      'ada@example.com',
      'grace@example.com',
      'alan@example.com',
    ]);
    expect(settings.auth.issuers).to.have.lengthOf(1);
    expect(settings.trustProxy).to.equal(2);
  });

  it('are all of those settings that say so', () => {
    const lists = variables.filter(({ doc }) => /separated by commas|JSON array/.test(doc));
    expect(lists).to.have.length.greaterThan(7);
    for (const { env, mayBeFile } of lists) expect(mayBeFile, env).to.equal(true);
  });
});

describe('secrets', function () {
  const folder = folderFor(this, {
    secret: `${SECRET}\n`,
    windows: `${SECRET}\r\n`,
    bare: SECRET,
    blankLine: `${SECRET}\r\n\r\n\n`,
    url: `${URL_}\n`,
    empty: '',
    newline: '\n',
    short: 'hunter2\n',
    binary: Uint8Array.from({ length: 48 }, (_, i) => 255 - i),
  });
  const at = (name: string): string => join(folder, name);

  function problemOf(env: NodeJS.ProcessEnv): string {
    let problems: readonly string[] = [];
    try {
      loadSettings(env);
    } catch (error) {
      problems = (error as SettingsError).problems;
    }
    expect(problems).to.have.lengthOf(1);
    return String(problems[0]);
  }

  describe('in files', () => {
    it('are read without the newlines at their end', () => {
      for (const name of ['secret', 'windows', 'bare', 'blankLine']) {
        expect(loadSettings({ AUTH_SECRET_FILE: at(name) }).auth.secret).to.equal(SECRET);
      }
    });

    it('satisfy the requirements of production', () => {
      const settings = loadSettings({
        ENVIRONMENT: 'production',
        AUTH_SECRET_FILE: at('secret'),
        DATABASE_URL_FILE: at('url'),
      });
      expect([settings.auth.secret, settings.database.url]).to.deep.equal([SECRET, URL_]);
    });

    it('follow the same rules, and a problem names the file', () => {
      expect(problemOf({ AUTH_SECRET_FILE: at('short') })).to.match(
        new RegExp(`^AUTH_SECRET \\(from file ${at('short')}\\) must have 32 bytes or more`),
      );
    });

    it('are refused together with the variable itself', () => {
      expect(problemOf({ AUTH_SECRET: SECRET, AUTH_SECRET_FILE: at('secret') })).to.equal(
        'AUTH_SECRET and AUTH_SECRET_FILE are both set: unset one of them',
      );
      expect(problemOf({ DATABASE_URL: URL_, DATABASE_URL_FILE: at('url') })).to.equal(
        'DATABASE_URL and DATABASE_URL_FILE are both set: unset one of them',
      );
    });

    it('tolerate an empty counterpart', () => {
      expect(loadSettings({ AUTH_SECRET: '', AUTH_SECRET_FILE: at('secret') }).auth.secret).to.equal(SECRET);
      expect(loadSettings({ AUTH_SECRET: SECRET, AUTH_SECRET_FILE: '' }).auth.secret).to.equal(SECRET);
    });

    const unreadable: [name: string, requirement: string][] = [
      ['missing', 'must name a readable text file: PATH (ENOENT)'],
      ['.', 'must name a readable text file: PATH (EISDIR)'],
      ['binary', 'must name a readable text file: PATH (ERR_ENCODING_INVALID_ENCODED_DATA)'],
      ['empty', 'must not name an empty file: PATH'],
      ['newline', 'must not name an empty file: PATH'],
    ];
    for (const [name, requirement] of unreadable) {
      it(`are a problem when the file is: ${name}`, () => {
        const problem = `AUTH_SECRET_FILE ${requirement.replace('PATH', at(name))}`;
        expect(problemOf({ AUTH_SECRET_FILE: at(name) })).to.equal(problem);
        // One cause, one problem: no second one about the missing secret.
        expect(
          problemOf({ ENVIRONMENT: 'production', DATABASE_URL: URL_, AUTH_SECRET_FILE: at(name) }),
        ).to.equal(problem);
      });
    }

    it('work only for secrets', () => {
      expect(loadSettings({ PORT_FILE: at('missing') }).port).to.equal(8000);
    });
  });

  it('refuse a URL in place of a path', () => {
    expect(problemOf({ DATABASE_URL_FILE: URL_ })).to.equal(
      'DATABASE_URL_FILE must be the path of a file: put the value itself into DATABASE_URL',
    );
  });

  describe('are never printed', () => {
    const hidden = 'hunter2';
    const invalid: NodeJS.ProcessEnv[] = [
      { DATABASE_URL: `mysql://app:${hidden}@db/app` },
      { DATABASE_URL: `${hidden}` },
      { DATABASE_URL: `postgres://app:${hidden}` },
      { DATABASE_URL: `postgres://app:${hidden}@db` },
      { DATABASE_URL: `postgres://app:12/${hidden}@db/app` },
      { DATABASE_URL: `postgres://app:12?${hidden}@db/app` },
      { DATABASE_URL: `postgres://app:12#${hidden}@db/app` },
      { DATABASE_URL: `postgres://app:${hidden}%zz@db/app` },
      { DATABASE_URL: `postgres://db?password=${hidden}` },
      { DATABASE_URL: `\npostgres://app:${hidden}@db\n` },
      { DATABASE_URL_FILE: `postgres://app:${hidden}@db/app` },
      { DATABASE_URL_FILE: 'short' },
      { AUTH_SECRET: hidden },
      { AUTH_SECRET: `\n${hidden}\n` },
      { AUTH_SECRET_FILE: 'short' },
      { AUTH_SECRET: hidden, AUTH_SECRET_FILE: 'short' },
      { ENVIRONMENT: 'production', AUTH_SECRET: 'hunter2'.padEnd(16, '-').repeat(2), DATABASE_URL: hidden },
    ];
    for (const env of invalid) {
      it(`when invalid: ${JSON.stringify(env)}`, () => {
        const { status, stdout, stderr } = print(folder, env);
        expect(status).to.equal(78);
        expect(stdout).to.equal('');
        expect(stderr).to.match(
          /^Rollcall cannot start: 1 problem in its settings\n(DATABASE_URL|AUTH_SECRET)\S* .+\n$/,
        );
        expect(stderr).not.to.include(hidden);
      });
    }

    const valid: [given: string, shown: string][] = [
      [URL_, 'postgres://app:********@db.internal:5432/app'],
      ['postgres://app@db/app', 'postgres://app@db/app'],
      ['postgres://app:h%40hunter2@db/app?sslmode=require', 'postgres://app:********@db/app?sslmode=require'],
      ['postgres://app:hunter2@hunter2@db/app', 'postgres://app:********@db/app'],
      ['postgres://db/app?user=app&password=hunter2', 'postgres://db/app?user=app&password=********'],
      ['postgres://db/app?Access_Token=hunter2', 'postgres://db/app?Access_Token=********'],
      [
        'postgres://db/app?password=hunter2&password=hunter2',
        'postgres://db/app?password=********&password=********',
      ],
      [
        'postgres://db/app?PASSWORD=hunter2&sslp%61ssword=hunter2',
        'postgres://db/app?PASSWORD=********&sslp%61ssword=********',
      ],
      // Forms that libpq and we read, and `URL` does not.
      [
        'postgres://app:hunter2@a:5432,b:5432/db?target_session_attrs=read-write',
        'postgres://app:********@a:5432,b:5432/db?target_session_attrs=read-write',
      ],
      [
        'postgresql://app:hunter2@/db?host=/run/postgresql',
        'postgresql://app:********@/db?host=/run/postgresql',
      ],
      [
        'postgres:///db?host=/run&user=app&password=hunter2',
        'postgres:///db?host=/run&user=app&password=********',
      ],
      ['postgres://app:hunter2@%2Frun%2Fpostgresql/db', 'postgres://app:********@%2Frun%2Fpostgresql/db'],
      ['postgres://app:hunter2@[::1]:5432,[::2]/db', 'postgres://app:********@[::1]:5432,[::2]/db'],
      ['postgres://app:hunter2:hunter2@db/app', 'postgres://app:********@db/app'],
      ['postgres://app:@db/app?password=', 'postgres://app:@db/app?password='],
    ];
    for (const [given, shown] of valid) {
      it(`when valid: DATABASE_URL=${given}`, () => {
        const run = print(folder, {
          DATABASE_URL: given,
          AUTH_SECRET: `${hidden}-and-twenty-five-more-bytes`,
        });
        expect(run.status).to.equal(0);
        expect(row(run, 'DATABASE_URL')).to.equal(`DATABASE_URL ${shown} (environment)`);
        expect(row(run, 'AUTH_SECRET')).to.equal('AUTH_SECRET ******** (environment)');
        expect(run.stdout + run.stderr).not.to.include(hidden);
      });
    }

    it('when valid: proxies', () => {
      const run = print(folder, {
        HTTPS_PROXY: `http://app:${hidden}@proxy.internal:3128`,
        HTTP_PROXY: `app:${hidden}@proxy.internal`,
      });
      expect(row(run, 'HTTPS_PROXY')).to.equal(
        'HTTPS_PROXY http://app:********@proxy.internal:3128 (environment)',
      );
      expect(row(run, 'HTTP_PROXY')).to.equal('HTTP_PROXY http://app:********@proxy.internal (environment)');
      expect(run.stdout + run.stderr).not.to.include(hidden);
    });
  });
});
