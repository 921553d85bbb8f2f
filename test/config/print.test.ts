import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { envExample } from '../../config/example.ts';
import { variables } from '../../config/schema.ts';
import { loadSettings, SettingsError } from '../../config/settings.ts';
import { folderFor, print, program, row } from './run.ts';

describe('npm run config', function () {
  const folder = folderFor(this, { url: 'postgres://app:hunter2@db/app\n' });

  it('prints every setting in force and its source, in the order of the schema', () => {
    const run = print(folder, {
      NODE_ENV: 'test',
      PORT: '9000',
      DATABASE_URL_FILE: 'url',
      DATABASE_REPLICA_URLS: 'postgres://app:hunter2@one/app,postgres://app:hunter2@two/app',
      INITIAL_ADMINS: 'Ada@example.com, grace@example.com',
    });
    expect(run.status).to.equal(0);
    expect(run.stderr).to.equal('');
    expect(
      run.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).to.deep.equal(variables.map(({ env }) => env));
    expect(row(run, 'ENVIRONMENT')).to.equal('ENVIRONMENT test (NODE_ENV)');
    expect(row(run, 'HOST')).to.equal('HOST 127.0.0.1 (default)');
    expect(row(run, 'PORT')).to.equal('PORT 9000 (environment)');
    expect(row(run, 'DATABASE_URL')).to.equal('DATABASE_URL postgres://app:********@db/app (file url)');
    expect(row(run, 'DATABASE_REPLICA_URLS')).to.equal(
      'DATABASE_REPLICA_URLS postgres://app:********@one/app,postgres://app:********@two/app (environment)',
    );
    expect(row(run, 'AUTH_SECRET')).to.equal('AUTH_SECRET (none) (default)');
    expect(row(run, 'INITIAL_ADMINS')).to.equal(
      'INITIAL_ADMINS ada@example.com,grace@example.com (environment)',
    );
  });

  it('masks the query of a key URL, which may hold an API key', () => {
    const issuer = 'https://id.example.com';
    const run = print(folder, {
      AUTH_JWKS_URL: `${issuer}/keys?key=hunter2`,
      AUTH_AUDIENCE: 'web',
      AUTH_ISSUERS: JSON.stringify([{ issuer, audience: 'app', jwksUrl: `${issuer}/jwks?key=hunter2` }]),
    });
    expect(row(run, 'AUTH_JWKS_URL')).to.equal(`AUTH_JWKS_URL ${issuer}/keys?******** (environment)`);
    expect(row(run, 'AUTH_ISSUERS')).to.include(`"jwksUrl":"${issuer}/jwks?********","audience":["app"]`);
    expect(run.stdout).not.to.include('hunter2');
  });

  it('prints every problem to stderr, nothing to stdout, and exits 78', () => {
    const { status, stdout, stderr } = print(folder, { ENVIRONMENT: 'production', PORT: '80a' });
    expect(status).to.equal(78);
    expect(stdout).to.equal('');
    expect(stderr.split('\n')).to.deep.equal([
      'Rollcall cannot start: 3 problems in its settings',
      'PORT must be a whole number from 0 to 65535, not "80a"',
      'DATABASE_URL must be set in production, to postgres://user:password@host:port/database',
      'AUTH_SECRET must be set in production, to 32 bytes or more; generate it with: openssl rand -base64 48 (or set AUTH_ISSUER, AUTH_JWKS_URL or AUTH_ISSUERS)',
      '',
    ]);
  });
});

describe('settingsOrExit', function () {
  const folder = folderFor(this);

  it('returns the settings', () => {
    expect(program(folder, { PORT: '9000' })).to.deep.equal({ status: 0, stdout: '9000\n', stderr: '' });
  });

  it('ends a program with invalid settings the way npm run config does', () => {
    const env = { ENVIRONMENT: 'production', PORT: '80a' };
    expect(program(folder, env)).to.deep.equal(print(folder, env));
  });
});

describe('.env.example', function () {
  const committed = readFileSync(join(import.meta.dirname, '../../.env.example'), 'utf8');

  it('matches the schema (update it with: node config/print.ts --env-example > .env.example)', () => {
    expect(committed).to.equal(envExample());
    expect(print(folderFor(this), { PORT: 'x' }, '--env-example').stdout).to.equal(committed);
  });

  it('has every variable with its doc and default, and the file variable of every secret and list', () => {
    for (const { env, doc, default: standard, example, mayBeFile } of variables) {
      expect(committed).to.include(`\n# ${doc}\n# ${env}=${example ?? standard}\n`);
      if (mayBeFile) expect(committed).to.include(`\n# ${env}_FILE=`);
    }
  });

  it('changes nothing when copied to .env', () => {
    const run = print(folderFor(this, { '.env': committed }));
    expect(run.status).to.equal(0);
    expect(run.stdout).not.to.include('(.env)');
  });

  it('is valid in development with everything but the file variables uncommented', () => {
    const uncommented = committed.replace(/^# (?=[A-Z_\d]+=)(?!\w+_FILE=)/gm, '');
    const run = print(folderFor(this, { '.env': uncommented }));
    expect(run.stderr).to.equal('');
    expect(run.stdout.match(/\(\.env\)/g)).to.have.lengthOf(variables.length - 1);
    expect(row(run, 'ENVIRONMENT')).to.equal('ENVIRONMENT development (default)');
  });

  it('shows a secret that production refuses', () => {
    const shown = /^# AUTH_SECRET=(.+)$/m.exec(committed)?.[1] ?? '';
    const env = { ENVIRONMENT: 'production', DATABASE_URL: 'postgres://db/app', AUTH_SECRET: shown };
    expect(() => loadSettings(env)).to.throw(SettingsError, /^AUTH_SECRET must not be a placeholder/);
  });
});
