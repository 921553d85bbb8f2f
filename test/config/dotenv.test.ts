import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { folderFor, print, type Run, row } from './run.ts';

describe('.env', function () {
  const inFolderWith = (content: string, env: NodeJS.ProcessEnv = {}): Run =>
    print(folderFor(this, { '.env': content }), env);

  it('is read in development, where the environment overrides it', () => {
    const run = inFolderWith('PORT=9000\nLOG_LEVEL=warn\n', { LOG_LEVEL: 'debug' });
    expect(row(run, 'PORT')).to.equal('PORT 9000 (.env)');
    expect(row(run, 'LOG_LEVEL')).to.equal('LOG_LEVEL debug (environment)');
    expect(row(run, 'HOST')).to.equal('HOST 127.0.0.1 (default)');
  });

  it('is not read in test, in production or in an unknown environment', () => {
    const ready = { DATABASE_URL: 'postgres://db/app', AUTH_SECRET: 'only-for-tests-0123456789-abcdefghij' };
    const broken = 'PORT=9000\nnonsense\n';
    expect(row(inFolderWith(broken, { ENVIRONMENT: 'test' }), 'PORT')).to.equal('PORT 8000 (default)');
    expect(row(inFolderWith(broken, { NODE_ENV: 'test' }), 'PORT')).to.equal('PORT 8000 (default)');
    expect(row(inFolderWith(broken, { ENVIRONMENT: 'production', ...ready }), 'PORT')).to.equal(
      'PORT 8000 (default)',
    );
    expect(inFolderWith(broken, { ENVIRONMENT: 'prod' }).stderr).to.match(
      /: 1 problem in its settings\nENVIRONMENT must/,
    );
  });

  it('may be missing, or empty', () => {
    expect(print(folderFor(this)).status).to.equal(0);
    expect(inFolderWith('').status).to.equal(0);
  });

  it('accepts comments, quotes, exports, Windows line endings and unknown names', () => {
    const run = inFolderWith(
      '\uFEFFPORT = 9000 # mine\r\n\r\n# a comment\r\nexport HOST="::1" # quoted\r\nDATA_DIR=\'/a#b\'\r\n' +
        'POSTGRES_PASSWORD=x\r\nPGHOST=db\r\nNOTE="two\r\nlines"\r\nBOOT_TIMEOUT_MS=\r\nLOG_LEVEL=`warn`',
    );
    expect(run.stderr).to.equal('');
    expect(row(run, 'PORT')).to.equal('PORT 9000 (.env)');
    expect(row(run, 'HOST')).to.equal('HOST ::1 (.env)');
    expect(row(run, 'DATA_DIR')).to.equal('DATA_DIR /a#b (.env)');
    expect(row(run, 'BOOT_TIMEOUT_MS')).to.equal('BOOT_TIMEOUT_MS 60000 (default)');
    expect(row(run, 'LOG_LEVEL')).to.equal('LOG_LEVEL warn (.env)');
  });

  it('is overridden by a secret in the environment, also if it names a file for that secret', () => {
    const run = inFolderWith('AUTH_SECRET_FILE=/nowhere\n', {
      AUTH_SECRET: 'only-for-tests-0123456789-abcdefghij',
    });
    expect(row(run, 'AUTH_SECRET')).to.equal('AUTH_SECRET ******** (environment)');
  });

  it('is named as the source of an invalid value', () => {
    expect(inFolderWith('PORT=12abc\n').stderr).to.equal(
      'Rollcall cannot start: 1 problem in its settings\nPORT (from .env) must be a whole number from 0 to 65535, not "12abc"\n',
    );
  });

  it('cannot select an environment other than development', () => {
    const refused =
      '.env must not select an environment other than development, the only one that reads it: set ENVIRONMENT in the process environment\n';
    expect(inFolderWith('ENVIRONMENT=production\n').stderr).to.equal(
      `Rollcall cannot start: 1 problem in its settings\n${refused}`,
    );
    expect(inFolderWith('NODE_ENV=test\n').stderr).to.include(refused);
    expect(inFolderWith('ENVIRONMENT=development\nNODE_ENV=production\n').status).to.equal(0);
  });

  it('causes a problem if it cannot be read', () => {
    const folder = folderFor(this);
    mkdirSync(join(folder, '.env'));
    const { status, stderr } = print(folder);
    expect(status).to.equal(78);
    expect(stderr).to.match(/\n\.env must be a readable file \(EISDIR\)\n$/);
  });

  const malformed: [content: string, lines: number[]][] = [
    ['PORT 9000', [1]],
    ['PORT=9000\n\nhunter2\n', [3]],
    ['AUTH_SECRET: hunter2\nPORT=9000\nset LOG_LEVEL=warn\n', [1, 3]],
    ['AUTH_SECRET="hunter2\nPORT=9000\n', [1]],
    ["AUTH_SECRET= 'hunter2\n", [1]],
    ['AUTH_SECRET="hunter2\nHOST="::1"\n', [1]],
    ['HOST="::1" hunter2\n', [1]],
    ["AUTH_SECRET='hunter2''s'\n", [1]],
    ['=hunter2\n', [1]],
    ['PORT 9000\rhunter2\r\r', [1]],
  ];
  for (const [content, lines] of malformed) {
    it(`has malformed lines reported by number, not quoted: ${JSON.stringify(content)}`, () => {
      const { status, stderr } = inFolderWith(content);
      expect(status).to.equal(78);
      for (const line of lines) expect(stderr).to.include(`\n.env line ${line} must be NAME=value\n`);
      expect(stderr.match(/NAME=value/g)).to.have.lengthOf(lines.length);
      expect(stderr).not.to.include('hunter2');
    });
  }

  for (const value of [
    'hunter2#3-only-for-tests-0123456789-abcdefghij',
    '#hunter2',
    'hunter2#3 # a comment',
    'x##',
  ]) {
    it(`has a value refused, not cut off, that has a # without quotes: ${value}`, () => {
      const { status, stderr } = inFolderWith(`PORT=9000 # mine\nCOLOUR=#fff\nAUTH_SECRET=${value}\n`);
      expect(status).to.equal(78);
      expect(stderr).to.include(
        '\n.env line 3 has a # in the value of AUTH_SECRET, which would end it there: put the value into quotes\n',
      );
      expect(stderr).not.to.include('hunter2');
    });
  }

  for (const quote of ['"', "'", '`']) {
    it(`has a value with a # taken whole from ${quote} quotes`, () => {
      const run = inFolderWith(`NOTE="one\nDATA_DIR=/a#b"\nDATA_DIR=${quote}/a#b #c${quote} # a comment\n`);
      expect(run.stderr).to.equal('');
      expect(row(run, 'DATA_DIR')).to.equal('DATA_DIR /a#b #c (.env)');
    });
  }

  const typos: [wrong: string, intended: string][] = [
    ['PROT', 'PORT'],
    ['port', 'PORT'],
    ['DATABASE_ULR', 'DATABASE_URL'],
    ['DATBASE_URL_FILE', 'DATABASE_URL_FILE'],
    ['INITIAL_ADMIN', 'INITIAL_ADMINS'],
    ['AUTH-SECRET', 'AUTH_SECRET'],
    ['ENVIROMENT', 'ENVIRONMENT'],
  ];
  for (const [wrong, intended] of typos) {
    it(`has a typo reported: ${wrong}`, () => {
      const { status, stderr } = inFolderWith(`${wrong}=hunter2\n`);
      expect(status).to.equal(78);
      expect(stderr).to.equal(
        `Rollcall cannot start: 1 problem in its settings\n.env sets ${wrong}, which is not a setting: rename it to ${intended}\n`,
      );
    });
  }

  it('has its problems reported with all others', () => {
    const { status, stderr } = inFolderWith('nonsense\nPROT=1\nLOG_LEVEL=loud\n', { PORT: 'x' });
    expect(status).to.equal(78);
    expect(stderr.split('\n').map((line) => line.split(/ must|,/)[0])).to.deep.equal([
      'Rollcall cannot start: 4 problems in its settings',
      '.env line 1',
      '.env sets PROT',
      'PORT',
      'LOG_LEVEL (from .env)',
      '',
    ]);
  });
});
