import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { jwtVerify } from 'jose';
import { SECRET } from './support/app.ts';
import { createEmptyDatabase, type TestDatabase } from './support/database.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = 'node_modules/.cache/rollcall-build-commands';

/** The account `nobody`, where root runs the tests: root may write everywhere. */
const OTHERS = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

describe('the commands of the build', function () {
  this.timeout(300_000);

  let folder: string;
  let database: TestDatabase;

  before(() => {
    const env = { ...process.env, OUT, COMMIT: 'commit-of-an-image' };
    const { status, stderr } = spawnSync('npm', ['run', 'build'], { cwd: ROOT, env, encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    folder = mkdtempSync(join(tmpdir(), 'rollcall-dist-'));
    // Nothing else: no packages, no sources. And a Node.js that others reach, wherever this checkout is.
    cpSync(join(ROOT, OUT), join(folder, 'dist'), { recursive: true });
    copyFileSync(process.execPath, join(folder, 'node'));
    spawnSync('chmod', ['-R', 'a+rX,a-w', folder]);
  });

  after(() => {
    spawnSync('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true });
    rmSync(join(ROOT, OUT), { recursive: true });
  });

  beforeEach(async () => {
    database = await createEmptyDatabase();
  });

  afterEach(() => database.drop());

  /** Runs a command with only these settings as its environment. */
  const runAs = (
    options: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv },
    command: string,
    ...args: string[]
  ) => {
    const { status, stdout, stderr } = spawnSync(join(folder, 'node'), [`dist/${command}.js`, ...args], {
      cwd: folder,
      env: { ENVIRONMENT: 'production', AUTH_SECRET: SECRET, DATABASE_URL: database.url },
      ...options,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const run = (command: string, ...args: string[]) => runAs(OTHERS, command, ...args);
  const done = (command: string, ...args: string[]) => {
    const { status, stdout, stderr } = run(command, ...args);
    expect([status, stderr], `${command} ${args.join(' ')}`).to.deep.equal([0, '']);
    return stdout;
  };

  it('are those of npm', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const commands = Object.entries<string>(scripts).flatMap(([name, script]) =>
      /^node (?:src\/commands|config)\//.test(script) ? [name] : [],
    );
    expect(commands).to.include.members(['accounts', 'config', 'migrate', 'token']);
    for (const name of commands) expect(existsSync(join(folder, `dist/${name}.js`)), name).to.equal(true);
  });

  it('work for an ordinary user, in a read-only folder, without packages and sources', async () => {
    expect(done('config')).to.match(/^DATABASE_URL +postgres:\/\/[^:]+:\*{8}@/m);
    expect(run('accounts', 'list').status).to.equal(69);
    expect(run('migrate', '--yes').status).to.equal(0);
    expect(done('accounts', 'invite', 'ada@example.com')).to.include('ada@example.com');
    const link = done('accounts', 'console', 'ada@example.com').trim();
    expect(link).to.match(/^http:\/\/localhost:8000\/console\/#code=[\w-]{43}$/);
    expect(run('accounts', 'doctor').stdout).to.match(/^ok +migrations +all are applied$/m);
    const token = done('token', 'ada@example.com', '--force').trim();
    expect((await jwtVerify(token, Buffer.from(SECRET))).payload['email']).to.equal('ada@example.com');
  });

  it('write nothing there, also where they may', async () => {
    const files = () => readdirSync(join(folder, 'dist'), { recursive: true });
    const before = files();
    // Whoever has built it: root, whom the modes do not stop, or its owner.
    spawnSync('chmod', ['-R', 'u+w', join(folder, 'dist')]);
    const commands = [
      'config',
      'migrate --yes',
      'accounts list',
      'accounts doctor',
      'token ada@example.com --force',
    ];
    for (const line of commands) {
      const [command = '', ...args] = line.split(' ');
      expect(runAs({}, command, ...args).stdout, line).not.to.equal('');
    }
    expect(files()).to.deep.equal(before);
  });

  it('warn where ENVIRONMENT was forgotten, each of them', () => {
    const env = { AUTH_SECRET: SECRET, DATABASE_URL: database.url };
    for (const line of ['config', 'migrate --plan', 'accounts list', 'token ada@example.com']) {
      const [command = '', ...args] = line.split(' ');
      const said = (more: NodeJS.ProcessEnv) => {
        const { stderr } = runAs({ ...OTHERS, env: { ...env, ...more } }, command, ...args);
        return stderr.split('\n').filter((text) => text.startsWith('Warning: '));
      };
      expect(said({}), line).to.have.length(1);
      expect(said({})[0]).to.match(/^Warning: this is the production build, but ENVIRONMENT is not set, /);
      expect(said({ ENVIRONMENT: 'development' }), line).to.deep.equal([]);
    }
  });

  it('know the commit that the build was told', () => {
    const names = readdirSync(join(folder, 'dist/commands')).filter((name) => name.endsWith('.js'));
    const texts = names.map((name) => readFileSync(join(folder, 'dist/commands', name), 'utf8'));
    expect(texts.join('\n')).to.include('commit-of-an-image');
  });

  it('name themselves by their files', () => {
    for (const name of ['accounts', 'migrate', 'token']) {
      expect(done(name, '--help')).to.match(new RegExp(`^Usage: node dist/${name}\\.js `));
    }
    expect(run('token', 'typo@example.com', '--force').stderr).to.match(/^Not checked/);
    expect(run('migrate', '--yes').status).to.equal(0);
    expect(run('token', 'typo@example.com', '--force').stderr).to.include(
      'Create the account: node dist/accounts.js invite typo@example.com\n',
    );
  });
});
