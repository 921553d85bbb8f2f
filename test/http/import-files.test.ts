import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ImportReport } from '../../src/domain/import-report.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

/** What each program's file, whose bytes are in `fixtures/`, becomes. Accounts: email, name, role, storage mode. */
const FILES: Readonly<Record<string, { accounts: string[][]; ignoredColumns: string[] }>> = {
  'excel-german.csv': {
    accounts: [
      ['jürgen.groß@müller.example', 'Groß; Jürgen', 'admin', 'local'],
      ['anna@example.com', 'Anna "Anni" Weiß', 'user', 'local'],
      ['josé@example.com', 'José Ñandú', 'user', 'local'],
    ],
    ignoredColumns: ['Abteilung'],
  },
  'excel-unicode-text.txt': {
    accounts: [
      ['ada@example.com', 'Ada Lovelace', 'user', 'account'],
      ['wei@example.com', '伟 王', 'user', 'local'],
      ['grace@example.com', 'Grace Hopper, "Amazing"', 'user', 'local'],
    ],
    ignoredColumns: ['Phone'],
  },
  'google-workspace.csv': {
    accounts: [
      ['ada@example.com', 'Ada Lovelace', 'user', 'local'],
      ['grace@example.com', 'Grace Hopper', 'user', 'local'],
      ['alan@example.com', 'Alan Turing', 'user', 'local'],
    ],
    ignoredColumns: [
      'Password [Required]',
      'Password Hash Function [UPLOAD ONLY]',
      'Org Unit Path [Required]',
      'New Primary Email [UPLOAD ONLY]',
      'Status [READ ONLY]',
      'Last Sign In [READ ONLY]',
      'Recovery Email',
      'Home Secondary Email',
      'Work Secondary Email',
      'Recovery Phone [MUST BE IN THE E.164 FORMAT]',
      'Work Phone',
      'Home Phone',
      'Mobile Phone',
      'Work Address',
      'Home Address',
      'Employee ID',
      'Employee Type',
      'Employee Title',
      'Manager Email',
      'Department',
      'Cost Center',
      '2sv Enrolled [READ ONLY]',
      '2sv Enforced [READ ONLY]',
      'Building ID',
      'Floor Name',
      'Floor Section',
      'Email Usage [READ ONLY]',
      'Drive Usage [READ ONLY]',
      'Total Storage [READ ONLY]',
      'Change Password at Next Sign-In',
      'New Status [UPLOAD ONLY]',
    ],
  },
  'microsoft-entra.csv': {
    accounts: [
      ['ada.lovelace@contoso.example', 'Ada Lovelace', 'user', 'local'],
      ['scanner@contoso.onmicrosoft.example', 'Scanner', 'user', 'local'],
      // A guest's own address.
      ['alan_t@example.org', 'Alan Turing (Guest)', 'user', 'local'],
    ],
    ignoredColumns: [
      'id',
      'userType',
      'jobTitle',
      'department',
      'accountEnabled',
      'usageLocation',
      'streetAddress',
      'state',
      'country',
      'officeLocation',
      'city',
      'postalCode',
      'telephoneNumber',
      'mobilePhone',
      'alternateEmailAddress',
      'ageGroup',
      'consentProvidedForMinor',
      'legalAgeGroupClassification',
      'companyName',
      'creationType',
      'directorySynced',
      'invitationState',
      'identityIssuer',
      'createdDateTime',
    ],
  },
  'okta.csv': {
    accounts: [
      ['ada@example.com', 'Ada Lovelace', 'user', 'local'],
      ['grace@example.com', 'Rear Admiral "Amazing" Grace', 'user', 'local'],
      ['alan@example.com', 'Alan Turing', 'user', 'local'],
    ],
    ignoredColumns: [
      'id',
      'status',
      'created',
      'activated',
      'lastLogin',
      'lastUpdated',
      'secondEmail',
      'mobilePhone',
      'department',
    ],
  },
};

describe('the import of files that other programs write', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const send = (body: string | Uint8Array<ArrayBuffer>, query = '', type = 'text/csv') =>
    app.call(`/v1/users/import${query}`, {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    });
  const reportOf = async (response: Response) => {
    const report = (await response.json()) as ImportReport;
    expect(response.status, JSON.stringify(report)).to.equal(200);
    return report;
  };
  const imported = async () => (await accountsIn(app.database)).slice(1);

  for (const [file, { accounts, ignoredColumns }] of Object.entries(FILES)) {
    it(`takes ${file} as it is`, async () => {
      const bytes = new Uint8Array(await readFile(join(FIXTURES, file)));
      const dry = await reportOf(await send(bytes, '?dryRun=true'));
      expect(dry).to.deep.include({
        created: 0,
        wouldCreate: accounts.length,
        wouldUpdate: 0,
        ignoredColumns,
      });
      expect(await imported()).to.deep.equal([]);
      const report = { updated: 0, failed: 0, ignoredColumns, failures: [] };
      expect(await reportOf(await send(bytes))).to.deep.equal({
        ...report,
        created: accounts.length,
        unchanged: 0,
      });
      const rows = await imported();
      expect(
        rows.map(({ email, name, role, storage_mode }) => [email, name, role, storage_mode]),
      ).to.deep.equal(accounts);
      expect(rows.map(({ status }) => status)).to.deep.equal(accounts.map(() => 'active'));
      expect(await reportOf(await send(bytes, '?mode=upsert'))).to.deep.equal({
        ...report,
        created: 0,
        unchanged: accounts.length,
      });
    });
  }

  it('finds commas, semicolons and tabs, or what sep= names, with LF, CRLF or CR, and names however they are written', async () => {
    const rows = [
      ['E-Mail', ' full_name ', 'STORAGE MODE', 'Shoe; size, EU', 'storageMode2'],
      ['$1@example.com', 'Ada, Countess; of "L"', 'account', '37', ''],
      ['', '', '', '', ''],
    ];
    let number = 0;
    for (const separator of [',', ';', '\t', '|']) {
      for (const end of ['\n', '\r\n', '\r']) {
        for (const mark of ['', '\uFEFF']) {
          const lines = rows.map((cells) =>
            cells
              .map((cell) => (/[,;|"]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
              .join(separator),
          );
          if (separator === '|') lines.unshift('sep=|');
          const text = `${mark}${lines.join(end)}`.replace('$1', `p${number++}`);
          const { created, ignoredColumns } = await reportOf(await send(text));
          expect({ created, ignoredColumns }, JSON.stringify(text)).to.deep.equal({
            created: 1,
            ignoredColumns: ['Shoe; size, EU', 'storageMode2'],
          });
        }
      }
    }
    const written = (await imported()).map(({ email, name, storage_mode }) => [email, name, storage_mode]);
    expect(written).to.deep.equal(
      Array.from({ length: number }, (_, at) => [`p${at}@example.com`, 'Ada, Countess; of "L"', 'account']),
    );
  });

  it('says which field each column gives, where nothing is written', async () => {
    const header = 'User Name;Given Name;Last_Name;STATUS;created at;Cost centre;';
    const columns = [
      { name: 'User Name', field: 'email' },
      { name: 'Given Name', field: 'name' },
      { name: 'Last_Name', field: 'name' },
      // That of a directory.
      { name: 'STATUS', field: null },
      { name: 'created at', field: 'createdAt' },
      { name: 'Cost centre', field: null },
    ];
    const good = `${header}\nada@example.com;Ada;Lovelace;gone;;7\n`;
    expect(await reportOf(await send(good, '?dryRun=true'))).to.deep.include({ wouldCreate: 1, columns });
    const refused = await send(`${good}ada@example.com;Ada;Lovelace;gone;;7\n`);
    expect(refused.status).to.equal(422);
    expect(((await refused.json()) as { report: ImportReport }).report.columns).to.deep.equal(columns);
    const missing = await send('Name;Wages\nAda;7\n');
    expect(((await missing.json()) as { report: ImportReport }).report.columns).to.deep.equal([
      { name: 'Name', field: 'name' },
      { name: 'Wages', field: null },
    ]);
    const own = await send('id,email,version,updatedAt\n7,ada@example.com,1,2020-01-01\n', '?dryRun=true');
    expect((await reportOf(own)).columns?.map(({ field }) => field)).to.deep.equal([
      null,
      'email',
      null,
      null,
    ]);
    const wide = ['email', ...Array.from({ length: 150 }, (_, at) => `${at} ${'😀'.repeat(101)}`)].join(',');
    const { columns: shown = [] } = await reportOf(await send(`${wide}\nb@example.com\n`, '?dryRun=true'));
    expect(shown).to.have.length(100);
    expect(Math.max(...shown.map(({ name }) => name.length))).to.be.at.most(200);
    expect(await reportOf(await send(good))).to.not.have.property('columns');
    const lines = await send('{"email":"c@example.com"}\n', '?dryRun=true', 'application/x-ndjson');
    expect(await reportOf(lines)).to.not.have.property('columns');
  });

  it('reads UTF-16 of either order, with and without a mark, and a charset by its name', async () => {
    const text = 'email,name\r\nj@example.com,Jürgen 😀\r\n';
    const files: [bytes: Buffer, type: string][] = [
      [Buffer.from(`\uFEFF${text}`, 'utf16le'), 'text/csv'],
      [Buffer.from(text, 'utf16le'), 'text/csv'],
      [Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(), 'text/csv; charset=utf-8'],
      [Buffer.from(text, 'utf16le').swap16(), 'text/csv; charset=utf-16be'],
    ];
    for (const [at, [bytes, type]] of files.entries()) {
      const report = await reportOf(await send(new Uint8Array(bytes), '?mode=upsert', type));
      expect(report, `file ${at}`).to.include(at === 0 ? { created: 1 } : { unchanged: 1 });
    }
    const latin = Buffer.from('email,name\r\nl@example.com,J\xfcrgen\r\n', 'latin1');
    expect((await send(new Uint8Array(latin))).status).to.equal(422);
    await reportOf(await send(new Uint8Array(latin), '', 'text/csv; charset=windows-1252'));
    expect((await imported()).map(({ email, name }) => [email, name])).to.deep.equal([
      ['j@example.com', 'Jürgen 😀'],
      ['l@example.com', 'Jürgen'],
    ]);
  });

  it("reads role and status where the email is in email, and ignores a directory's", async () => {
    const ours: [header: string, email: string][] = [
      ['Email,Display Name,Role,Status', 'a@example.com,A,admin,suspended'],
      ['E-Mail Address,First Name,Role,Status', 'b@example.com,B,admin,suspended'],
    ];
    for (const [header, row] of ours) {
      expect(await reportOf(await send(`${header}\n${row}\n`))).to.deep.include({
        created: 1,
        ignoredColumns: [],
      });
    }
    const directories = [
      'mail,displayName,status,role,id',
      'userPrincipalName,name,Status,Role,id',
      'Username,Full Name,Status,Role,Id',
      'login,name,STATUS,ROLE,ID',
      'Primary Email,name,status,role,id',
      'Email Address [Required],name,status,role,id',
    ];
    for (const [at, header] of directories.entries()) {
      const row = `d${at}@example.com,D,suspended,admin,7`;
      const { created, ignoredColumns } = await reportOf(await send(`${header}\n${row}\n`));
      expect([created, ...ignoredColumns.map((name) => name.toLowerCase())], header).to.deep.equal([
        1,
        'status',
        'role',
        'id',
      ]);
    }
    const states = (await imported()).map(({ role, status }) => `${role} ${status}`);
    expect(states).to.deep.equal([
      ...ours.map(() => 'admin suspended'),
      ...directories.map(() => 'user active'),
    ]);
  });

  it('passes over empty rows, and takes rows without their last cells, the last one without its end too', async () => {
    const text =
      '\n  \n,,\nemail,name,storageMode,,\n\n,,,,\n  ,\t,,\na@example.com\nb@example.com,B,,,,,,,\n"",""\nc@example.com,C';
    expect(await reportOf(await send(text))).to.deep.include({ created: 3, failed: 0, ignoredColumns: [] });
    expect((await imported()).map(({ email, name }) => [email, name])).to.deep.equal([
      ['a@example.com', null],
      ['b@example.com', 'B'],
      ['c@example.com', 'C'],
    ]);
  });

  it('takes the first email and the first name that a row has', async () => {
    const text = [
      'login,mail,userPrincipalName,First Name,Last Name,displayName,name',
      'l1@example.com,m1@example.com,u1@example.com,F,L,D,N',
      'l2@example.com,,u2@example.com,F,L,D,',
      'l3@example.com,,,F,L,,',
      'l4@example.com,,,F,,,',
      'l5@example.com,,,,,,',
    ].join('\n');
    expect(await reportOf(await send(text))).to.include({ created: 5 });
    expect((await imported()).map(({ email, name }) => [email, name])).to.deep.equal([
      ['m1@example.com', 'N'],
      ['u2@example.com', 'D'],
      ['l3@example.com', 'F L'],
      ['l4@example.com', 'F'],
      ['l5@example.com', null],
    ]);
  });

  it('refuses a header line without an email column, and lists what it takes, with partial=true too', async () => {
    for (const query of ['', '?partial=true', '?mode=upsert&partial=true&dryRun=true']) {
      const response = await send('Firstname;Surname;Shoe size\nAda;Lovelace;37\n', query);
      const problem = (await response.json()) as {
        code: string;
        errors: { path: string; message: string }[];
        report: ImportReport;
      };
      expect([response.status, problem.code]).to.deep.equal([422, 'invalid_input']);
      const said = problem.errors.map(({ path, message }) => `${path} ${message}`).join('\n');
      for (const accepted of [
        'userPrincipalName',
        'emailAddress',
        'login',
        'displayName',
        'lastName',
        'createdAt',
      ]) {
        expect(said).to.include(accepted);
      }
      expect(problem.report).to.include({ created: 0, wouldCreate: 0, failed: 1 });
    }
    expect(await imported()).to.deep.equal([]);
  });
});
