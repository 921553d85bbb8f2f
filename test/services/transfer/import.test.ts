import { expect } from 'chai';
import { COMMAND_LINE } from '../../../src/domain/author.ts';
import type { ImportReport } from '../../../src/domain/import-report.ts';
import type { PreferenceRules } from '../../../src/domain/preferences.ts';
import { Refusal } from '../../../src/domain/refusal.ts';
import { csv } from '../../../src/services/transfer/formats/csv.ts';
import { MAX_LINE_BYTES } from '../../../src/services/transfer/formats/lines.ts';
import { ndjson } from '../../../src/services/transfer/formats/ndjson.ts';
import { type ImportOptions, importAccounts, MAX_FAILURES } from '../../../src/services/transfer/import.ts';
import { accountsIn, addAccount, LONG_AGO } from '../../support/accounts.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';

const rules: PreferenceRules = {
  maxBytes: 200,
  faults: ({ theme }) =>
    theme === 'ugly' ? [{ path: 'preferences.theme', message: 'It must not be ugly.' }] : [],
};

async function* bytes(...chunks: (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const done = { created: 0, updated: 0, unchanged: 0, failed: 0, ignoredColumns: [], failures: [] };

describe('the account import', () => {
  const store = testStore();

  beforeEach(async () => {
    await addAccount(store.database, 'admin@example.com', { role: 'admin' });
  });

  const run = (
    lines: ReturnType<typeof ndjson.read>,
    { dryRun = false, ...options }: Partial<ImportOptions> & { dryRun?: boolean } = {},
  ): Promise<ImportReport> =>
    store.as(COMMAND_LINE)(
      (unit) => {
        unit.dryRun = dryRun;
        return importAccounts(unit, lines, { mode: 'create', partial: false, rules, ...options });
      },
      { replays: false },
    );
  const fromText = (text: string | Buffer, options?: Parameters<typeof run>[1]) =>
    run(ndjson.read(bytes(text)), options);
  const fromObjects = (objects: unknown[], options?: Parameters<typeof run>[1]) =>
    fromText(objects.map((object) => `${JSON.stringify(object)}\n`).join(''), options);
  const fromCsv = (text: string | Buffer, options?: Parameters<typeof run>[1]) =>
    run(csv.read(bytes(text)), options);
  const reasons = ({ failures }: ImportReport) =>
    failures.map(({ line, path, reason }) => `${line} ${path}: ${reason}`);
  const refusal = async (outcome: Promise<unknown>) => {
    const error = await outcome.then(
      () => expect.fail('expected a refusal'),
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Refusal);
    return error as Refusal;
  };
  const emails = async () => (await accountsIn(store.database)).map(({ email }) => email);
  /** Resolves once an import waits for a lock. */
  const someoneWaits = () =>
    until('the import to wait for a lock', async () => {
      const waiting = await store.database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });

  it('creates accounts with normalized values, and with defaults for missing fields', async () => {
    const report = await fromObjects([
      {
        email: ' GRACE@Example.com ',
        name: "Gräce \\ 'O?' 😀",
        role: 'admin',
        status: 'suspended',
        storageMode: 'account',
        preferences: { a: [null, 'x?', '\\'] },
      },
      { email: 'alan@example.com' },
    ]);
    expect(report).to.deep.equal({ ...done, created: 2 });
    const [, grace, alan] = await store.database.query('select * from users order by id');
    expect(grace).to.include({
      email: 'grace@example.com',
      name: "Gräce \\ 'O?' 😀",
      role: 'admin',
      status: 'suspended',
      storage_mode: 'account',
      version: 1,
    });
    expect(grace?.['preferences']).to.deep.equal({ a: [null, 'x?', '\\'] });
    expect(alan).to.include({
      name: null,
      role: 'user',
      status: 'active',
      storage_mode: 'local',
      preferences: null,
    });
  });

  it('refuses an email taken by an existing account or an earlier line', async () => {
    const lines = [{ email: 'ADMIN@example.com' }, { email: 'a@example.com' }, { email: 'A@example.com' }];
    const report = await fromObjects(lines, { partial: true });
    expect(report).to.include({ created: 1, failed: 2 });
    expect(reasons(report)).to.deep.equal([
      '1 email: An account with this email already exists.',
      '3 email: An account with this email already exists.',
    ]);
  });

  it('detects an email that occurred hundreds of lines before', async () => {
    const many = Array.from({ length: 1_200 }, (_, at) => ({ email: `p${at}@example.com` }));
    const report = await fromObjects([...many, { email: 'p0@example.com' }], { partial: true });
    expect(report).to.include({ created: 1_200, failed: 1 });
    expect(reasons(report)).to.deep.equal(['1201 email: An account with this email already exists.']);
  });

  it('upserts: sets only the given fields, increments the version, and leaves equal accounts untouched', async () => {
    for (const email of ['changed@example.com', 'equal@example.com', 'empty@example.com']) {
      await addAccount(store.database, email, { name: 'N', preferences: { a: 1, b: { c: 2 } } });
    }
    await store.database.query(`update users set preferences = null where email = 'empty@example.com'`);
    const report = await fromObjects(
      [
        { email: 'changed@example.com', storageMode: 'account', preferences: { a: 2 } },
        { email: 'Equal@example.com', name: 'N', role: 'user', preferences: { b: { c: 2 }, a: 1.0 } },
        { email: 'empty@example.com', preferences: {} },
        { email: 'new@example.com', name: 'New' },
      ],
      { mode: 'upsert' },
    );
    expect(report).to.deep.equal({ ...done, created: 1, updated: 1, unchanged: 2 });
    const [admin, changed, equal, empty] = await store.database.query<{ updated_at: Date }>(
      'select * from users order by id',
    );
    expect(changed).to.include({ name: 'N', storage_mode: 'account', version: 2 });
    expect(changed).to.have.deep.property('preferences', { a: 2 });
    expect(changed?.updated_at.getTime()).to.be.greaterThan(Date.parse(LONG_AGO));
    for (const untouched of [admin, equal, empty]) {
      expect(untouched).to.include({ version: 1 });
      expect(untouched?.updated_at.toISOString()).to.equal(LONG_AGO);
    }
  });

  it('knows an account by its email, whatever id and version a line has', async () => {
    const other = await addAccount(store.database, 'other@example.com', { name: 'Other' });
    const own = await addAccount(store.database, 'own@example.com', { name: 'Own' });
    for (const id of [other.id, own.id + 1_000, 'x', null]) {
      const line = { id, version: 99, email: 'own@example.com', name: `Own ${id}` };
      expect(await fromObjects([line], { mode: 'upsert' })).to.include({ updated: 1 });
      const [, first, second] = await accountsIn(store.database);
      expect(first).to.deep.equal(other);
      expect(second).to.include({ id: own.id, email: 'own@example.com', name: `Own ${id}` });
    }
    expect(await fromObjects([{ id: other.id, email: 'new@example.com' }])).to.include({ created: 1 });
    expect((await accountsIn(store.database))[1]).to.deep.equal(other);
  });

  it('changes what only looks the same: no value, an end of a role, a number of another spelling', async () => {
    const a = { email: 'a@example.com', role: 'admin', roleUntil: '2999-01-01T00:00:00.000Z', name: 'A' };
    await fromObjects([{ ...a, preferences: { n: 1.5, list: [1, null], deep: { x: {} } } }]);
    const run = (line: object) => fromObjects([{ email: a.email, ...line }], { mode: 'upsert' });
    for (const same of [
      {},
      { name: 'A', role: 'admin', roleUntil: a.roleUntil },
      { roleUntil: '2999-01-01T01:00:00+01:00' },
      { preferences: { deep: { x: {}, gone: null }, list: [1, null], n: 15e-1 } },
    ]) {
      expect(await run(same), JSON.stringify(same)).to.include({ unchanged: 1, updated: 0 });
    }
    for (const other of [
      { preferences: { n: 1.5, list: [1], deep: { x: {} } } },
      { preferences: {} },
      { roleUntil: null },
      { name: null },
      { role: 'user' },
      { storageMode: 'account' },
      { status: 'suspended' },
    ]) {
      expect(await run(other), JSON.stringify(other)).to.include({ unchanged: 0, updated: 1 });
      expect(await run(other), JSON.stringify(other)).to.include({ unchanged: 1, updated: 0 });
    }
  });

  it('refuses the end of a role where a change of the account would be refused', async () => {
    const end = '2020-01-01T00:00:00.000Z';
    await addAccount(store.database, 'over@example.com', { role: 'admin' });
    await store.database.query(`update users set role_until = '${end}' where email = 'over@example.com'`);
    await addAccount(store.database, 'user@example.com');
    const lines = [
      { email: 'new@example.com', role: 'admin', roleUntil: end },
      { email: 'other@example.com', roleUntil: '2999-01-01T00:00:00Z' },
      { email: 'user@example.com', role: 'admin', roleUntil: end },
      { email: 'user@example.com', role: 'user', roleUntil: '2999-01-01T00:00:00Z' },
      { email: 'over@example.com', name: 'Over', roleUntil: end },
      { email: 'fine@example.com', role: 'admin', roleUntil: '2999-01-01T00:00:00Z' },
    ];
    const report = await fromObjects(lines, { mode: 'upsert', partial: true });
    expect(report).to.include({ created: 1, updated: 1, unchanged: 0, failed: 4 });
    expect(reasons(report)).to.deep.equal([
      '1 roleUntil: Must be in the future.',
      '2 roleUntil: Only the role of an admin can end.',
      '3 roleUntil: Must be in the future.',
      '4 roleUntil: Only the role of an admin can end.',
    ]);
    expect(await emails()).to.have.members([
      'admin@example.com',
      'over@example.com',
      'user@example.com',
      'fine@example.com',
    ]);
    const { details } = await refusal(fromObjects(lines.slice(0, 1)));
    expect(details?.['report']).to.include({ failed: 1, wouldCreate: 0 });
  });

  it('records creations as the accounts are, of lines of every shape', async () => {
    await fromObjects([
      { email: 'plain@example.com' },
      { email: 'old@example.com', createdAt: '2020-02-03T04:05:06.789Z', preferences: { a: { b: 1 } } },
      { email: 'root@example.com', role: 'admin', roleUntil: '2999-01-01T00:00:00Z', name: 'Root' },
      { email: 'ahead@example.com', createdAt: new Date(Date.now() + 60_000).toISOString() },
    ]);
    const rows = await store.database.query(
      `select changes.after, changes.fields, changes.version, changes.at = updated_at as "isAt", array_agg(field order by field) filter (where field is not null) as names
         from changes join users on users.id = user_id left join change_fields on change_id = changes.id
        where email <> 'admin@example.com' group by changes.id, users.id order by changes.id`,
    );
    const state = { name: null, role: 'user', status: 'active', storageMode: 'local', preferences: {} };
    const fields = ['email', 'name', 'role', 'status', 'storageMode', 'preferences'];
    const always = { version: 1, isAt: true, names: null };
    expect(rows).to.deep.equal([
      { ...always, after: { ...state, email: 'plain@example.com' }, fields },
      {
        ...always,
        after: {
          ...state,
          email: 'old@example.com',
          preferences: { a: { b: 1 } },
          createdAt: '2020-02-03T04:05:06.789Z',
        },
        fields: [...fields, 'preferences.a', 'preferences.a.b', 'createdAt'],
        names: ['preferences.a', 'preferences.a.b'],
      },
      {
        ...always,
        after: {
          ...state,
          email: 'root@example.com',
          name: 'Root',
          role: 'admin',
          roleUntil: '2999-01-01T00:00:00.000Z',
        },
        fields: [...fields, 'roleUntil'],
      },
      { ...always, after: { ...state, email: 'ahead@example.com' }, fields },
    ]);
  });

  it('upserts a repeated email on top of its earlier line', async () => {
    const report = await fromObjects(
      [
        { email: 'a@example.com', name: 'One' },
        { email: 'A@example.com', role: 'admin' },
        { email: 'a@example.com', name: null },
        { email: 'a@example.com', role: 'admin' },
      ],
      { mode: 'upsert' },
    );
    expect(report).to.deep.equal({ ...done, created: 1, updated: 2, unchanged: 1 });
    const [, row] = await store.database.query('select * from users order by id');
    expect(row).to.include({ name: null, role: 'admin', version: 3 });
  });

  it('writes nothing when a line fails, and reports every error', async () => {
    const lines = [
      '{"email":"good@example.com"}',
      '{"email":"not one","name":"","role":"king","colour":"red"}',
      '{"email": oops}',
      '[]',
      '{"email":"p@example.com","preferences":{"theme":"ugly"}}',
      `{"email":"q@example.com","preferences":{"x":"${'x'.repeat(300)}"}}`,
      '{"email":"r@example.com","preferences":{"__proto__":1,"n":1e999}}',
      '{"email":"no address"}',
      '{"name":"nobody"}',
    ];
    const error = await refusal(fromText(lines.join('\n')));
    expect(error.code).to.equal('invalid_input');
    const report = error.details?.['report'] as ImportReport;
    expect(report).to.include({
      created: 0,
      updated: 0,
      unchanged: 0,
      failed: 8,
      wouldCreate: 1,
      wouldUpdate: 0,
    });
    const where = [...new Set(report.failures.map(({ line, path }) => `${line} ${path}`.trim()))];
    expect(where).to.deep.equal([
      '2 name',
      '2 role',
      '2 colour',
      '3',
      '4',
      '5 preferences.theme',
      '6 preferences',
      '7 preferences.n',
      '7 preferences.__proto__',
      '8 email',
      '9 email',
    ]);
    expect(error.errors?.map(({ path }) => path)).to.include.members(['lines.2.name', 'lines.3']);
    expect(await emails()).to.deep.equal(['admin@example.com']);
  });

  it('imports the valid lines in partial mode', async () => {
    const report = await fromText('{"email":"a@example.com"}\nno\n{"email":"b@example.com"}', {
      partial: true,
    });
    expect(report).to.include({ created: 2, failed: 1 });
    expect(await emails()).to.deep.equal(['admin@example.com', 'a@example.com', 'b@example.com']);
  });

  it('reports in full and writes nothing in a dry run', async () => {
    const lines = [{ email: 'admin@example.com', name: 'Ada' }, { email: 'a@example.com' }];
    const report = await fromObjects(lines, { mode: 'upsert', dryRun: true });
    expect(report).to.deep.equal({ ...done, wouldCreate: 1, wouldUpdate: 1 });
    expect(await accountsIn(store.database)).to.have.length(1);
    expect((await accountsIn(store.database))[0]).to.include({ name: null });
  });

  for (const dryRun of [false, true]) {
    for (const change of [{ role: 'user' }, { status: 'suspended' }]) {
      it(`refuses to remove the last active admin: ${JSON.stringify({ ...change, dryRun })}`, async () => {
        const lines = [{ email: 'a@example.com' }, { email: 'admin@example.com', ...change }];
        const error = await refusal(fromObjects(lines, { mode: 'upsert', dryRun, partial: true }));
        expect(error.code).to.equal('last_admin');
        expect(await accountsIn(store.database)).to.have.length(1);
        expect((await accountsIn(store.database))[0]).to.include({ role: 'admin', status: 'active' });
      });
    }
  }

  it('accepts lines that replace the only admin by another', async () => {
    const lines = [
      { email: 'admin@example.com', role: 'user' },
      { email: 'heir@example.com', role: 'admin' },
    ];
    expect(await fromObjects(lines, { mode: 'upsert' })).to.include({ created: 1, updated: 1 });
  });

  it('waits for a concurrent demotion of the other admin, then refuses to remove the last one', async () => {
    await addAccount(store.database, 'other@example.com', { role: 'admin' });
    const session = await store.database.connect();
    await session.query('begin');
    await session.query(`update users set role = 'user' where email = 'other@example.com'`);
    const outcome = refusal(fromObjects([{ email: 'admin@example.com', role: 'user' }], { mode: 'upsert' }));
    await someoneWaits();
    await session.query('commit');
    expect((await outcome).code).to.equal('last_admin');
  });

  it('does not wait for others where an account stays as it is', async () => {
    await addAccount(store.database, 'same@example.com', { name: 'Same' });
    const session = await store.database.connect();
    await session.query(`begin; select from users where email = 'same@example.com' for update`);
    const report = await fromObjects([{ email: 'same@example.com', name: 'Same' }], { mode: 'upsert' });
    expect(report).to.deep.equal({ ...done, unchanged: 1 });
    await session.query('rollback');
  });

  it('compares an account again that somebody has changed while it waited', async () => {
    await addAccount(store.database, 'a@example.com', { name: 'A' });
    const session = await store.database.connect();
    await session.query('begin');
    await session.query(`update users set name = 'B', version = version + 1 where email = 'a@example.com'`);
    const outcome = fromObjects([{ email: 'a@example.com', name: 'B' }], { mode: 'upsert' });
    await someoneWaits();
    await session.query('commit');
    expect(await outcome).to.deep.equal({ ...done, unchanged: 1 });
    expect((await accountsIn(store.database)).at(-1)).to.include({ name: 'B', version: 2 });
  });

  it('writes nothing when its input breaks off', async () => {
    async function* broken() {
      for (let at = 0; at < 1_500; at++) yield Buffer.from(`{"email":"p${at}@example.com"}\n`);
      throw new Error('connection lost');
    }
    const error = await run(ndjson.read(broken())).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'connection lost');
    expect(await emails()).to.deep.equal(['admin@example.com']);
  });

  it('reports the first thousand failed lines at most, and bounds the size of the report', async () => {
    const lines = Array.from({ length: MAX_FAILURES + 50 }, () => ({
      [`x${'y'.repeat(5_000)}`]: 1,
      email: 1,
    }));
    const report = await fromObjects(lines, { partial: true });
    expect(report.failed).to.equal(MAX_FAILURES + 50);
    expect(new Set(report.failures.map(({ line }) => line)).size).to.equal(MAX_FAILURES);
    expect(JSON.stringify(report).length).to.be.lessThan(1_000_000);
  });

  describe('from NDJSON', () => {
    it('accepts a byte order mark, CRLF, blank lines, and chunks that end anywhere', async () => {
      const text = Buffer.from('\uFEFF{"email":"ä@example.com"}\r\n\r\n  \n{"email":"b@example.com"}');
      const single = Array.from(text, (byte) => Buffer.from([byte]));
      expect(await run(ndjson.read(bytes(...single)))).to.include({ created: 2 });
    });

    it('counts blank lines in line numbers', async () => {
      expect(reasons(await fromText('\n\nno\n', { partial: true }))[0]).to.match(/^3 : This is not JSON/);
    });

    it('fails a line that is too long or not UTF-8, and continues', async () => {
      const report = await fromText(
        Buffer.concat([
          Buffer.from('{"email":"'),
          Buffer.from([0xff]),
          Buffer.from(`@example.com"}\n{"email":"a@example.com"${' '.repeat(MAX_LINE_BYTES)}}\n`),
          Buffer.from('{"email":"b@example.com"}\n'),
        ]),
        { partial: true },
      );
      expect(report).to.include({ created: 1, failed: 2 });
      expect(reasons(report)).to.deep.equal([
        '1 : The line must be UTF-8: save the file as UTF-8 ("CSV UTF-8"), or name its charset.',
        `2 : The line must have at most ${MAX_LINE_BYTES} bytes.`,
      ]);
    });

    it('refuses a duplicate key', async () => {
      const report = await fromText('{"email":"a@example.com","email":"b@example.com"}', { partial: true });
      expect(report.failures).to.have.length(1);
      expect(report.failures[0]).to.include({ line: 1, path: 'email' });
    });
  });

  describe('from CSV', () => {
    it('maps columns by the names in the header line, in any order', async () => {
      const text =
        '\uFEFFname,email,preferences\r\n"Hopper, ""Grace""\nB.",grace@example.com,"{""a"":1}"\r\n';
      expect(await fromCsv(text)).to.include({ created: 1 });
      const [, grace] = await accountsIn(store.database);
      expect(grace).to.include({ name: 'Hopper, "Grace"\nB.' });
      expect(grace?.preferences).to.deep.equal({ a: 1 });
    });

    it('reads an empty cell as not given, and \\N as no value', async () => {
      const values = { name: 'A', role: 'admin', storage_mode: 'account', preferences: { a: 1 } };
      await addAccount(store.database, 'a@example.com', values);
      const header = 'email,name,role,status,storageMode,preferences,createdAt\n';
      const untouched = await fromCsv(`${header}a@example.com,, ,,,,\n`, { mode: 'upsert' });
      expect(untouched).to.include({ unchanged: 1 });
      expect((await accountsIn(store.database))[1]).to.deep.include(values);
      const erased = await fromCsv(`${header}a@example.com,\\N,,,,\\N,\n`, { mode: 'upsert' });
      expect(erased).to.include({ updated: 1 });
      expect((await accountsIn(store.database))[1]).to.deep.include({
        ...values,
        name: null,
        preferences: {},
      });
      const refused = await fromCsv(`${header}a@example.com,,\\N,\\N,,,\n\\N,,,,,,\n`, {
        mode: 'upsert',
        partial: true,
      });
      expect(refused.failures.map(({ line, path }) => `${line} ${path}`)).to.deep.equal([
        '2 role',
        '2 status',
        '3 email',
      ]);
    });

    it('reports the line in which a record begins', async () => {
      const text = [
        'email,name',
        'a@example.com,"two',
        'lines"',
        '',
        'b@example.com',
        'c@example.com,C,D',
        'd"@example.com,D',
        '"e@example.com"x,E',
        'f@example.com,F',
        'g@example.com',
      ].join('\n');
      const report = await fromCsv(text, { partial: true });
      expect(reasons(report)).to.deep.equal([
        '6 : The header line has 2 columns, and this line has 3.',
        '7 : Quote the whole cell, and double each quote inside of it.',
        '8 : Quote the whole cell, and double each quote inside of it.',
      ]);
      expect((await emails()).slice(1)).to.deep.equal([
        'a@example.com',
        'b@example.com',
        'f@example.com',
        'g@example.com',
      ]);
    });

    it('reports invalid JSON, invalid UTF-8, lines that are too long, and unclosed quotes', async () => {
      const report = await fromCsv(
        Buffer.concat([
          Buffer.from('email,preferences\na@example.com,{\nb'),
          Buffer.from([0xc3]),
          Buffer.from(`@example.com,\nc@example.com,"${'\n'.repeat(MAX_LINE_BYTES)}"\nd@example.com,\n`),
          Buffer.from('e@example.com,"{}\nf@example.com,\n'),
        ]),
        { partial: true },
      );
      expect(report).to.include({ created: 1, failed: 4 });
      const found = reasons(report);
      expect(found[0]).to.match(/^2 preferences: This is not JSON/);
      expect(found.slice(1)).to.deep.equal([
        '3 : The line must be UTF-8: save the file as UTF-8 ("CSV UTF-8"), or name its charset.',
        `4 : The line must have at most ${MAX_LINE_BYTES} bytes.`,
        `${6 + MAX_LINE_BYTES} : A quote is never closed: the rest of the file cannot be read.`,
      ]);
    });

    it('reads no records below an invalid header line, not even partially', async () => {
      const error = await refusal(fromCsv('name,colour,Name\nA,red,B\n', { partial: true }));
      expect(error.status).to.equal(422);
      const report = error.details?.['report'] as ImportReport;
      expect(report).to.deep.include({ ...done, failed: 1, failures: report.failures });
      expect(reasons(report)).to.deep.equal([
        '1 Name: Means the same as name: keep one of the two.',
        '1 email: This column is missing in the header line. Other names for it: emailAddress, primaryEmail, mail, userPrincipalName, login, username.',
        '1 : Further columns that are read: name, displayName, firstName, lastName, role, status, storageMode, preferences, createdAt, roleUntil. A comma, a semicolon or a tab separates them.',
      ]);
    });
  });
});
