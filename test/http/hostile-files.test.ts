import { expect } from 'chai';
import type { ImportReport } from '../../src/domain/import-report.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

const MEGABYTE = 1024 * 1024;

const UTF8 = 'The line must be UTF-8: save the file as UTF-8 ("CSV UTF-8"), or name its charset.';
const UTF16 = UTF8.replace('be UTF-8', 'be UTF-16LE');
const TOO_LONG = 'The line must have at most 131072 bytes.';
const UNCLOSED = 'A quote is never closed: the rest of the file cannot be read.';
const EMPTY = 'The file is empty: its first line must name the columns.';
const NUL = 'The line has a NUL byte, which no text has.';
const NO_EMAIL = 'This column is missing in the header line.';
const TAKEN = 'An account with this email already exists.';

const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le');

/** A file, the lines that fail by their numbers, and the accounts that `partial=true` creates of it. */
type Case = [
  what: string,
  file: string | Buffer,
  failures: [line: number, path: string, reason: string][],
  created?: string[],
];

const CASES: Case[] = [
  ['an empty file', '', [[1, '', EMPTY]]],
  ['a byte order mark alone', '\uFEFF', [[1, '', EMPTY]]],
  ['a byte order mark of UTF-16 alone', utf16(''), [[1, '', EMPTY]]],
  ['blank lines alone', '\r\n \n,,\r\n', [[1, '', EMPTY]]],
  ['a header line alone', 'email,name\r\n', []],
  ['sep= with nothing', 'sep=\nemail\na@example.com\n', [[1, 'email', NO_EMAIL]]],
  ['sep= alone', 'sep=;\n', [[1, '', EMPTY]]],
  ['a line without an end', `email\na@example.com\n${'x'.repeat(8 * MEGABYTE)}`, [[3, '', TOO_LONG]], ['a']],
  ['a header line without an end', 'x'.repeat(8 * MEGABYTE), [[1, '', TOO_LONG]]],
  [
    'a quote that is never closed',
    `email\na@example.com\n"b@example.com\n${'c@example.com\n'.repeat(MEGABYTE / 8)}`,
    [[3, '', UNCLOSED]],
    ['a'],
  ],
  ['a quote that is never closed in the header line', 'email,"name\na@example.com,A\n', [[1, '', UNCLOSED]]],
  [
    '100,000 columns in the header line',
    `email${',x'.repeat(50_000)}\na@example.com\n`,
    [[1, '', 'The header line has 50001 columns; 16384 are allowed.']],
  ],
  [
    '100,000 columns in a line',
    `email\n${',x'.repeat(50_000)}\na@example.com\n`,
    [[2, '', 'The header line has 1 columns, and this line has 50001.']],
    ['a'],
  ],
  ['100,000 empty columns', `email${','.repeat(100_000)}\na@example.com${','.repeat(100_000)}\n`, [], ['a']],
  [
    'brackets that are never closed in the header line',
    `email,${'['.repeat(100_000)}\na@example.com\n`,
    [],
    ['a'],
  ],
  ['a million blank lines', `email\n${'\n'.repeat(MEGABYTE)}a@example.com\n`, [], ['a']],
  ['NUL bytes', 'email,name\na@example.com,A\0\nb@example.com,B\n', [[2, '', NUL]], ['b']],
  ['nothing but NUL bytes', '\0'.repeat(1_000), [[1, '', NUL]]],
  [
    'invalid UTF-8',
    Buffer.concat([
      Buffer.from('email,name\na@example.com,'),
      Buffer.of(0xc3, 0x28),
      Buffer.from('\nb@example.com,B\n'),
    ]),
    [[2, '', UTF8]],
    ['b'],
  ],
  [
    'half a surrogate pair in UTF-8',
    Buffer.concat([
      Buffer.from('email,name\na@example.com,'),
      Buffer.of(0xed, 0xa0, 0x80),
      Buffer.from('\nb@example.com,B\n'),
    ]),
    [[2, '', UTF8]],
    ['b'],
  ],
  [
    'half a surrogate pair in UTF-16',
    utf16('email,name\na@example.com,\ud800\nb@example.com,B\n'),
    [[2, '', UTF16]],
    ['b'],
  ],
  [
    'an odd number of bytes in UTF-16',
    Buffer.concat([utf16('email\na@example.com\nb@example.com'), Buffer.of(0x41)]),
    [[3, '', UTF16]],
    ['a'],
  ],
  [
    'two columns for the email',
    'email,name,E-Mail\na@example.com,A,b@example.com\n',
    [[1, 'E-Mail', 'Means the same as email: keep one of the two.']],
  ],
  [
    'a column by two of its names',
    'Given Name,First Name,email\nA,B,a@example.com\n',
    [[1, 'First Name', 'Means the same as Given Name: keep one of the two.']],
  ],
  ['the same email twice', 'email,name\na@example.com,A\nA@Example.com,B\n', [[3, 'email', TAKEN]], ['a']],
  [
    'a workbook',
    Buffer.from('504b030414000600', 'hex'),
    [[1, '', 'This is a workbook (.xlsx, .ods) or another ZIP file']],
  ],
  [
    'a compressed file',
    Buffer.from('1f8b080000000000', 'hex'),
    [[1, '', 'This is a compressed file (gzip)']],
  ],
];

describe('a hostile or broken CSV file', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const send = (file: string | Buffer, query: string) =>
    app.call(`/v1/users/import${query}`, {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': 'text/csv' },
      body: new Uint8Array(Buffer.from(file)),
    });
  const emails = async () => (await accountsIn(app.database)).slice(1).map(({ email }) => email);

  for (const [what, file, failures, created = []] of CASES) {
    it(`is told apart: ${what}`, async () => {
      const strict = await send(file, '');
      expect(strict.status).to.equal(failures.length === 0 ? 200 : 422);
      if (failures.length > 0) expect(await emails()).to.deep.equal([]);
      await app.database.query(`delete from users where role = 'user'`);

      const isReadable = created.length > 0 || failures.length === 0;
      const response = await send(file, '?partial=true');
      expect(response.status).to.equal(isReadable ? 200 : 422);
      const body = (await response.json()) as ImportReport & { report: ImportReport };
      const report = isReadable ? body : body.report;
      expect(report).to.include({ created: created.length, updated: 0, failed: failures.length });
      const found = report.failures.filter(({ path }, at) => at === 0 || path !== '');
      expect(found.map(({ line, path }) => [line, path])).to.deep.equal(
        failures.map(([line, path]) => [line, path]),
      );
      for (const [at, [, , reason]] of failures.entries()) expect(found[at]?.reason).to.include(reason);
      expect(await emails()).to.deep.equal(created.map((local) => `${local}@example.com`));
      expect(app.log.filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
    });
  }

  it('that has an email twice changes in an upsert what its earlier line made', async () => {
    const response = await send(
      'email,name,storageMode\na@example.com,A,account\nA@example.com,B,\n',
      '?mode=upsert',
    );
    expect(await response.json()).to.include({ created: 1, updated: 1, failed: 0 });
    expect((await accountsIn(app.database))[1]).to.include({
      name: 'B',
      storage_mode: 'account',
      version: 2,
    });
  });

  it('leaves others their turn: requests are answered between the lines of one chunk', async () => {
    // Two chunks of 64 KiB: without turns, a dozen requests are answered meanwhile.
    const count = 60_000;
    const lines = 'x\n'.repeat(count);
    let answered = 0;
    let done = false;
    const importing = send(`email\n${lines}`, '?partial=true').finally(() => {
      done = true;
    });
    while (!done) {
      await (await app.call('/healthz')).text();
      if (!done) answered++;
    }
    expect(((await (await importing).json()) as { report?: unknown; failed?: number }).failed).to.equal(
      count,
    );
    expect(answered).to.be.greaterThan(30);
  });
});
