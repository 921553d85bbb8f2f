import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { accountsIn } from '../support/accounts.ts';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { invocationIn, programEnvironment, programOf } from '../support/programs.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('npm run accounts', function () {
  this.timeout(300_000);

  let database: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    folder = await mkdtemp(join(tmpdir(), 'rollcall-accounts-'));
  });

  afterEach(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  const run = (
    args: string[],
    {
      url = database.url,
      input = '',
      more = {},
    }: { url?: string; input?: string | Buffer; more?: NodeJS.ProcessEnv } = {},
  ) => {
    const command = programOf('src/commands/accounts.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
      cwd: ROOT,
      env: {
        ...programEnvironment(),
        ENVIRONMENT: 'test',
        DATABASE_URL: url,
        // It says so where a busy machine takes longer.
        DATABASE_CONNECT_TIMEOUT_MS: '30000',
        ...more,
      },
      encoding: 'utf8',
      input,
    });
    return { status, stdout, stderr };
  };
  const done = (...args: string[]) => {
    const { status, stdout, stderr } = run(args);
    expect([status, stderr], args.join(' ')).to.deep.equal([0, '']);
    return stdout;
  };
  const states = async () =>
    (await accountsIn(database)).map(({ email, role, status }) => [email, role, status]);

  it('invites, promotes, suspends, restores, demotes and deletes', async () => {
    expect(done('invite', 'Ada@Example.com', '--role', 'admin', '--name', 'Ada')).to.include(
      'ada@example.com',
    );
    done('invite', 'grace@example.com');
    done('promote', 'GRACE@example.com');
    done('suspend', 'ada@example.com');
    expect(await states()).to.deep.equal([
      ['ada@example.com', 'admin', 'suspended'],
      ['grace@example.com', 'admin', 'active'],
    ]);
    done('restore', 'ada@example.com');
    done('demote', 'grace@example.com');
    done('delete', 'grace@example.com');
    expect(await states()).to.deep.equal([['ada@example.com', 'admin', 'active']]);
  });

  it('shows and lists, as a table or as JSON', async () => {
    for (const name of ['a', 'b', 'c']) done('invite', `${name}@example.com`);
    const listed = JSON.parse(done('list', '--limit', '2', '--json'));
    expect(listed.map(({ email }: { email: string }) => email)).to.deep.equal([
      'c@example.com',
      'b@example.com',
    ]);
    expect(JSON.parse(done('show', 'a@example.com', '--json'))).to.include({
      email: 'a@example.com',
      version: 1,
    });
    expect(done('list', '--q', 'A@EX').split('\n')[1]).to.match(/^1 +a@example\.com +user +active +1 /);
  });

  it('exports exactly what it imports', async () => {
    const lines = [
      {
        email: 'ada@example.com',
        name: '=1+1',
        role: 'admin',
        preferences: { theme: 'dark', list: [1, null] },
      },
      { email: 'grace@example.com', name: null, status: 'suspended', storageMode: 'account' },
    ];
    const ndjson = join(folder, 'in.ndjson');
    await writeFile(ndjson, lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(JSON.parse(done('import', ndjson, '--dry-run', '--json'))).to.include({
      wouldCreate: 2,
      failed: 0,
    });
    expect(await states()).to.deep.equal([]);
    done('import', ndjson);
    const before = await accountsIn(database);
    const csv = join(folder, 'out.csv');
    done('export', csv);
    expect(await readFile(csv, 'utf8')).to.include("'=1+1");
    expect(JSON.parse(done('import', csv, '--upsert', '--json'))).to.include({
      unchanged: 2,
      updated: 0,
      failed: 0,
    });
    expect(await accountsIn(database)).to.deep.equal(before);
    expect(done('export').trim().split('\n')).to.have.length(2);
    const piped = run(['import', '-', '--json'], { input: '{"email":"new@example.com"}\n' });
    expect(JSON.parse(piped.stdout)).to.include({ created: 1 });
  });

  it('says on standard error that an initial admin comes back', () => {
    const more = { INITIAL_ADMINS: 'ada@example.com' };
    for (const email of ['ada@example.com', 'grace@example.com']) done('invite', email, '--role', 'admin');
    const warning = 'ada@example.com is in INITIAL_ADMINS: the next start makes it an active admin again.\n';
    for (const [command, stderr] of [
      ['demote', warning],
      ['promote', ''],
      ['suspend', warning],
      ['restore', ''],
      ['erase', warning],
    ] as const) {
      const outcome = run([command, 'ada@example.com'], { more });
      expect([outcome.status, outcome.stderr], command).to.deep.equal([0, stderr]);
    }
  });

  it('keeps the reason in the history, and requires one with REASON_REQUIRED', async () => {
    done('invite', 'grace@example.com', '--reason', 'Neu im Team: Größe XL');
    const reasons = async () =>
      (await database.query<{ reason: string | null }>('select reason from changes order by id')).map(
        ({ reason }) => reason,
      );
    expect(await reasons()).to.deep.equal(['Neu im Team: Größe XL']);
    for (const reason of ['', 'x'.repeat(501), 'a\nb'])
      expect(run(['suspend', 'grace@example.com', '--reason', reason]).status).to.equal(64);
    const more = { REASON_REQUIRED: 'true' };
    const refused = run(['suspend', 'grace@example.com'], { more });
    expect([refused.status, refused.stderr]).to.deep.equal([
      64,
      'What is done to the account of somebody else needs a reason: send Rollcall-Reason, or --reason on the command line.\n',
    ]);
    expect(run(['suspend', 'grace@example.com', '--reason', 'left'], { more }).status).to.equal(0);
    expect(await reasons()).to.deep.equal(['Neu im Team: Größe XL', 'left']);
    expect(await states()).to.deep.equal([['grace@example.com', 'user', 'suspended']]);
  });

  it('takes an import back as a whole, and the undo too', async () => {
    done('invite', 'grace@example.com', '--name', 'Grace');
    const file = join(folder, 'in.ndjson');
    await writeFile(file, '{"email":"grace@example.com","name":"Hopper"}\n{"email":"new@example.com"}\n');
    const { requestId } = JSON.parse(done('import', file, '--upsert', '--json')) as { requestId: string };
    expect(requestId).to.match(/^[0-9a-f-]{36}$/);
    const imported = await states();

    expect(done('undo', requestId, '--dry-run')).to.match(/^undone +wouldUndo +skipped +requestId\n0 +2 +0 /);
    expect(await states()).to.deep.equal(imported);
    const undone = JSON.parse(done('undo', requestId, '--json')) as { undone: number; requestId: string };
    expect(undone).to.include({ undone: 2 });
    expect((await accountsIn(database)).map(({ email, name }) => [email, name])).to.deep.equal([
      ['grace@example.com', 'Grace'],
    ]);
    expect(done('undo', undone.requestId)).to.match(/^2 +0 /m);
    expect(await states()).to.deep.equal(imported);

    done('promote', 'grace@example.com');
    await database.query(
      `update users set name = 'Admiral', version = version + 1 where email like 'grace%'`,
    );
    const refused = run(['undo', requestId]);
    expect(refused.status).to.equal(77);
    expect(refused.stderr)
      .to.match(/^Nothing was undone: 1 of 2 /)
      .and.to.match(/changed_since +name$/m);
    expect(done('undo', requestId, '--partial')).to.match(/^1 +1 /m);
    expect(await states()).to.deep.equal([['grace@example.com', 'admin', 'active']]);

    expect(run(['undo', 'nothing']).status).to.equal(67);
    expect(run(['undo']).status).to.equal(64);
    await database.query(`update changes set request_id = 'both', actor = 'cli-' || (id % 2)`);
    const ambiguous = run(['undo', 'both', '--dry-run']);
    expect(ambiguous.status).to.equal(64);
    expect(ambiguous.stderr).to.match(/name one of cli-[01], cli-[01] with --actor/);
    expect(run(['undo', 'both', '--dry-run', '--partial', '--actor', 'cli-1']).status).to.equal(0);
  });

  it('names accounts that tables of the app point at where an undo is refused, and leaves them with --partial', async () => {
    const file = join(folder, 'in.ndjson');
    await writeFile(file, '{"email":"new@example.com"}\n{"email":"used@example.com"}\n');
    const { requestId } = JSON.parse(done('import', file, '--json')) as { requestId: string };
    await database.query(`
      create table items (owner_id int references users);
      insert into items select id from users where email like 'used%'`);
    const refused = run(['undo', requestId]);
    expect(refused.status).to.equal(77);
    expect(refused.stderr)
      .to.match(/^Nothing was undone: 1 of 2 .* Tables of the app point at some /)
      .and.to.match(/ account_in_use *$/m);
    expect(done('undo', requestId, '--partial')).to.match(/^1 +1 /m);
    expect((await states()).map(([email]) => email)).to.deep.equal(['used@example.com']);
  });

  it('imports files of spreadsheets, by any case of their extension and from standard input', async () => {
    const fixture = join(ROOT, 'test/http/fixtures/excel-german.csv');
    const shouted = join(folder, 'PEOPLE.CSV');
    await writeFile(shouted, await readFile(fixture));
    expect(done('import', shouted, '--dry-run')).to.equal(
      'created  updated  unchanged  failed  wouldCreate  wouldUpdate\n' +
        '0        0        0          0       3            0\n\n' +
        'ignored column\nAbteilung\n',
    );
    expect(await states()).to.deep.equal([]);
    expect(JSON.parse(done('import', shouted, '--json'))).to.deep.include({
      created: 3,
      failed: 0,
      ignoredColumns: ['Abteilung'],
    });
    expect((await states()).map(([, role]) => role)).to.deep.equal(['admin', 'user', 'user']);
    const text = join(ROOT, 'test/http/fixtures/excel-unicode-text.txt');
    expect(JSON.parse(done('import', text, '--json'))).to.include({ created: 3 });

    const piped = (input: string | Buffer, ...args: string[]) => {
      const { status, stdout, stderr } = run(['import', '-', '--json', ...args], { input });
      expect([status, stderr]).to.deep.equal([0, '']);
      return JSON.parse(stdout);
    };
    const latin = Buffer.from('Email;Full Name\r\nl@example.com;J\xfcrgen\r\n', 'latin1');
    expect(piped(latin, '--format', 'csv', '--charset', 'windows-1252')).to.include({ created: 1 });
    expect(piped('email\tname\na@example.com\tA\n', '--format', 'CSV')).to.include({ created: 1 });
    expect(piped('{"email":"n@example.com"}\n')).to.include({ created: 1 });
    const named = (await accountsIn(database)).filter(({ email }) => /^[la]@/.test(email));
    expect(named.map(({ name }) => name)).to.deep.equal(['Jürgen', 'A']);
    expect(run(['import', shouted, '--charset', 'klingon']).status).to.equal(64);
    expect(run(['import', shouted, '--format', 'xlsx']).status).to.equal(64);
  });

  it('exports for spreadsheets', async () => {
    done('invite', 'ada@example.com', '--name', '=1;+1');
    const file = join(folder, 'out.CSV');
    done('export', file, '--bom', '--separator', 'semicolon');
    expect(await readFile(file, 'utf8')).to.match(
      /^\uFEFFid;email;name;.*\r\n1;ada@example\.com;"'=1;'\+1";user;/,
    );
    expect(JSON.parse(done('import', file, '--upsert', '--json'))).to.include({ unchanged: 1, failed: 0 });
    const tabs = join(folder, 'out.tsv');
    done('export', tabs);
    expect(await readFile(tabs, 'utf8')).to.match(/^id\temail\tname\t/);
    expect(done('export', '--format', 'csv')).to.match(/^id,email,name,/);
    expect(done('export', '--format', 'tsv')).to.match(/^id\temail\tname\t/);
    expect(run(['export', '--separator', 'pipe']).status).to.equal(64);
  });

  it('cuts the identities of an account, and prints their number', async () => {
    done('invite', 'ada@example.com');
    await database.query(
      `insert into identities (user_id, issuer, subject, email)
       select id, issuer, 'x', email from users, (values ('https://a.example.com'), ('https://b.example.com')) as known (issuer)`,
    );
    expect(done('cut', 'Ada@example.com')).to.equal('cut\n2\n');
    expect(done('cut', 'ada@example.com')).to.equal('cut\n0\n');
    expect(await database.query('select distinct cut_by from identities')).to.deep.equal([{ cut_by: 'cli' }]);
  });

  it('erases an account and deleted ones with its email, and prints their number', async () => {
    done('invite', 'ada@example.com');
    done('delete', 'ada@example.com');
    done('invite', 'ada@example.com', '--name', 'Ada');
    expect(JSON.parse(done('erase', 'ADA@example.com', '--json'))).to.deep.equal({ erased: 2 });
    expect(await states()).to.deep.equal([]);
    const history = JSON.stringify(await database.query('select * from changes'));
    expect(history).to.include('deleted').and.not.to.match(/ada/i);
    done('invite', 'grace@example.com');
    expect(done('erase', 'grace@example.com')).to.equal('erased\n1\n');
  });

  it('verifies the history, and names contradictions with exit code 65', async () => {
    done('invite', 'ada@example.com');
    done('invite', 'grace@example.com');
    done('promote', 'grace@example.com');
    expect(JSON.parse(done('verify', '--json'))).to.deep.equal({
      accounts: 2,
      changes: 3,
      wrong: 0,
      findings: [],
    });
    expect(done('verify')).to.equal('accounts  changes  wrong\n2         3        0\n');
    await database.query(`update users set role = 'admin'`);
    const { status, stdout, stderr } = run(['verify']);
    expect([status, stderr]).to.deep.equal([65, '']);
    const [, , , ...findings] = stdout.trimEnd().split('\n');
    expect(findings.map((line) => line.split(/ +/))).to.deep.equal([
      ['userId', 'changeId', 'field', 'expected', 'found'],
      ['1', 'role', 'user', 'admin'],
    ]);
    expect(JSON.parse(run(['verify', '--json']).stdout)).to.include({ wrong: 1 });
  });

  it('deletes for good with ERASE_AFTER_DAYS=0', async () => {
    done('invite', 'ada@example.com');
    const { status } = run(['delete', 'ada@example.com'], { more: { ERASE_AFTER_DAYS: '0' } });
    expect(status).to.equal(0);
    expect(run(['erase', 'ada@example.com']).status).to.equal(67);
    expect(JSON.stringify(await database.query('select * from changes'))).not.to.include('ada@');
  });

  it('makes an admin when there is none', async () => {
    await database.query(`insert into users (email) values ('ada@example.com')`);
    done('promote', 'ada@example.com');
    expect(await states()).to.deep.equal([['ada@example.com', 'admin', 'active']]);
  });

  it('prints a link that signs in to the console, and stores the digest of its code', async () => {
    done('invite', 'ada@example.com');
    const linkOf = (args: string[] = [], more: NodeJS.ProcessEnv = {}) => {
      const { status, stdout, stderr } = run(['console', 'ADA@example.com', ...args], { more });
      expect([status, stderr]).to.deep.equal([0, '']);
      return stdout.trim();
    };
    expect(linkOf()).to.match(/^http:\/\/127\.0\.0\.1:8000\/console\/#code=[\w-]{43}$/);
    expect(linkOf([], { HOST: '0.0.0.0', PORT: '80', BASE_PATH: '/rollcall' })).to.match(
      /^http:\/\/localhost:80\/rollcall\/console\/#code=/,
    );
    expect(linkOf([], { HOST: '::1' })).to.match(/^http:\/\/\[::1\]:8000\/console\/#code=/);
    const json = linkOf(['--json'], { PUBLIC_URL: 'https://rollcall.example.com', BASE_PATH: '/x' });
    const { link, expiresAt } = JSON.parse(json) as { link: string; expiresAt: string };
    expect(link).to.match(/^https:\/\/rollcall\.example\.com\/x\/console\/#code=/);
    expect(Date.parse(expiresAt) - Date.now()).to.be.within(60_000, 130_000);
    const rows = await database.query<{ digest: string }>('select digest from console_codes');
    expect(rows).to.have.length(4);
    const digest = createHash('sha256').update(link.replace(/.*=/, '')).digest('hex');
    expect(rows.map((row) => row.digest)).to.include(digest);
    // However often it is asked for, an account has few that can be used.
    for (let n = 0; n < 8; n++) linkOf();
    expect(await database.query('select from console_codes')).to.have.length(10);

    expect(run(['console', 'nobody@example.com']).status).to.equal(67);
    const off = run(['console', 'ada@example.com'], { more: { CONSOLE: 'false' } });
    expect([off.status, off.stdout]).to.deep.equal([64, '']);
    expect(off.stderr).to.match(/^CONSOLE is false/);
    done('suspend', 'ada@example.com');
    expect(run(['console', 'ada@example.com']).status).to.equal(77);
    expect(await database.query('select from console_codes')).to.deep.equal([]);
  });

  it('reports each failure by its exit code, and changes nothing', async () => {
    done('invite', 'ada@example.com', '--role', 'admin');
    await writeFile(join(folder, 'bad.csv'), 'email\nnobody\n');
    const before = await states();
    const failures: [code: number, args: string[], said: RegExp][] = [
      [64, [], /^Name a command[\s\S]*Usage:/],
      [64, ['conquer'], /^There is no command conquer/],
      [64, ['constructor'], /^There is no command constructor/],
      [64, ['show'], /^This command needs an email/],
      [64, ['show', 'a', 'b'], /A command takes one argument/],
      [64, ['erase'], /^This command needs an email/],
      [64, ['list', '--limit', '0'], /--limit/],
      [64, ['invite', 'x@example.com', '--role', 'god'], /^god must be one of user, admin/],
      [64, ['list', '--nonsense'], /^Unknown option/],
      [64, ['invite', 'x@example.com', '--name', ''], /^--name must have 1 to 255/],
      [64, ['invite', 'x@example.com', '--name', '\u3164'], /^--name must have a visible character/],
      [65, ['invite', 'nobody'], /not a valid email address/],
      [65, ['import', join(folder, 'bad.csv')], /lines\.2\.email: /],
      [66, ['import', join(folder, 'missing.csv')], /ENOENT/],
      [66, ['import', folder], /EISDIR/],
      [67, ['promote', 'nobody@example.com'], /^There is no account with the email nobody@example\.com/],
      [
        67,
        ['erase', 'nobody@example.com'],
        /^There is no account with the email nobody@example\.com, nor a deleted one/,
      ],
      [77, ['erase', 'ada@example.com'], /last active admin/],
      [77, ['invite', 'ADA@example.com'], /with this email already exists/],
      [77, ['demote', 'ada@example.com'], /last active admin/],
      [77, ['suspend', 'ada@example.com'], /last active admin/],
      [77, ['delete', 'ada@example.com'], /last active admin/],
    ];
    for (const [code, args, said] of failures) {
      const { status, stdout, stderr } = run(args);
      expect([status, stdout], args.join(' ')).to.deep.equal([code, '']);
      expect(stderr).to.match(said);
    }
    expect(await states()).to.deep.equal(before);
  });

  it('exits 69 without a usable database', async () => {
    const empty = await createEmptyDatabase();
    const unmigrated = run(['list'], { url: empty.url });
    expect(unmigrated.status).to.equal(69);
    expect(unmigrated.stderr).to.include('lacks migrations');
    await empty.drop();
    expect(run(['list'], { url: 'postgres://me@127.0.0.1:1/x' }).status).to.equal(69);
  });

  it('exits 78 when PREFERENCES_SCHEMA names no file', () => {
    const { status, stderr } = run(['list'], { more: { PREFERENCES_SCHEMA: '/nowhere/schema.json' } });
    expect([status, stderr]).to.deep.equal([
      78,
      "PREFERENCES_SCHEMA: /nowhere/schema.json: ENOENT: no such file or directory, open '/nowhere/schema.json'\n",
    ]);
  });

  it('prints its usage', () => {
    expect(done('--help').split(' [')[0]).to.equal(
      `Usage: ${invocationIn('src/commands/accounts.ts', 'COMMAND')}`,
    );
  });
});
