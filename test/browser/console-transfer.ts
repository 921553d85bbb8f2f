import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import {
  CUT_OFF,
  expectNoComplaints,
  openConsole,
  REFUSED,
  type TestConsole,
} from '../support/console-page.ts';
import { until } from '../support/until.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('import and export in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await addAccount(console.app.database, 'grace@example.com', { name: 'Grace' });
  });

  after(() => console?.close());

  expectNoComplaints(() => console, REFUSED, CUT_OFF, /status of 5/);

  const button = (name: string | RegExp) => console.page.getByRole('button', { name });
  const choose = (name: string, text: string | Buffer, mimeType = 'text/csv') =>
    console.page.locator('input[type=file]').setInputFiles({ name, mimeType, buffer: Buffer.from(text) });
  const figure = async (label: string) =>
    console.page.locator('.figures div').filter({ hasText: label }).locator('dd').innerText();
  const emails = async () => {
    const rows = await console.app.database.query<{ email: string }>(
      'select email from users order by email',
    );
    return rows.map(({ email }) => email);
  };

  it('shows what a file would do, imports it, and takes the whole import back', async () => {
    const { page } = console;
    await console.open('/transfer');
    await console.expectAccessible();
    await choose('people.csv', `email;name\ngrace@example.com;Grace Hopper\nlinus@example.com;${HOSTILE}\n`);
    await page.getByText('This email is already in use').or(page.getByText('Line 2')).first().waitFor();
    expect(await figure('would be created')).to.equal('1');
    expect(await figure('wrong')).to.equal('1');
    expect(await button('Import 1').isDisabled()).to.equal(true);
    await page.getByRole('radio', { name: /Change them/ }).check();
    await page.getByText('Changes (1)').click();
    await page.getByText('Grace Hopper').waitFor();
    await page.getByRole('link', { name: 'grace@example.com' }).waitFor();
    await page.getByText('New accounts (1)').click();
    await page.getByText(HOSTILE).waitFor();
    await console.expectAccessible();
    expect(await emails()).to.deep.equal(['ada@example.com', 'grace@example.com']);
    await button('Import 2').click();
    await page.getByText('The import is done').waitFor();
    expect(await figure('created')).to.equal('1');
    expect(await page.evaluate('document.activeElement?.textContent')).to.equal('The import is done');
    expect(await emails()).to.deep.equal(['ada@example.com', 'grace@example.com', 'linus@example.com']);
    await console.expectAccessible();
    await button('Take the whole import back…').click();
    await page.getByText('1 account is deleted.').waitFor();
    await page.getByText('1 account is changed back.').waitFor();
    await console.expectAccessible();
    await button('Undo 2 changes').click();
    await page.getByRole('heading', { name: 'The import is taken back.' }).waitFor();
    expect(await emails()).to.deep.equal(['ada@example.com', 'grace@example.com']);
    const [grace] = await console.app.database.query("select name from users where email like 'grace%'");
    expect(grace).to.deep.equal({ name: 'Grace' });
  });

  it('takes an import back to whose request a proxy has given another id', async () => {
    const { page } = console;
    await page.route('**/v1/users/import*', (route) =>
      route.continue({ headers: { ...route.request().headers(), 'x-request-id': 'edge-1' } }),
    );
    await console.open('/transfer');
    await choose('people.csv', 'email\nlinus@example.com\n');
    await button('Import 1').click();
    await page.getByText('The import is done').waitFor();
    await button('Take the whole import back…').click();
    await button('Undo 1 change').click();
    await page.getByRole('heading', { name: 'The import is taken back.' }).waitFor();
    expect(await emails()).to.deep.equal(['ada@example.com', 'grace@example.com']);
  });

  it('leaves wrong lines out where that is asked for', async () => {
    const { page } = console;
    await console.open('/transfer');
    await choose('people.csv', `email,name\n${HOSTILE},Eve\nalan@example.com,Alan\nx@example.com,\u202Ex\n`);
    await page.getByText('Line 2').waitFor();
    expect(await page.getByText('What is wrong (2)').isVisible()).to.equal(true);
    const run = button('Import 1');
    expect(await run.isDisabled()).to.equal(true);
    await page.getByRole('checkbox').check();
    await run.click();
    await page.getByText('The import is done').waitFor();
    expect(await figure('left out')).to.equal('2');
    expect(await emails()).to.include('alan@example.com');
    await button('Import another file').click();
    await page.getByText('Drop a file here').waitFor();
  });

  it('lets one say what columns mean, and says which are not used', async () => {
    const { page } = console;
    await console.open('/transfer');
    await choose(
      'wrong.csv',
      '\uFEFFAdresse,"Wer ""genau"", bitte",Abteilung\r\nkatherine@example.com,Käthe,NASA\r\n',
    );
    await page.getByText('This column is missing in the header line').waitFor();
    await page.getByText('Columns: 0 of 3 are used').waitFor();
    const meaning = (column: string) =>
      page.getByLabel(`Meaning of ${column}`).locator('option:checked').innerText();
    expect(await meaning('Adresse')).to.equal('Not used (by its name)');
    await console.expectAccessible();
    await page.getByLabel('Meaning of Adresse').selectOption('Email');
    await page.getByText('Columns: 1 of 3 are used').waitFor();
    await page.getByLabel('Meaning of Wer "genau", bitte').selectOption('Name');
    await page.getByText('Columns: 2 of 3 are used').waitFor();
    await page.getByText('New accounts (1)').click();
    await page.getByText('Käthe').waitFor();
    await page.getByLabel('Meaning of Abteilung').selectOption('Not used');
    await console.expectAccessible();
    await button('Import 1').click();
    await page.getByText('The import is done').waitFor();
    const [row] = await console.app.database.query("select name from users where email like 'katherine%'");
    expect(row).to.deep.equal({ name: 'Käthe' });
  });

  it('says what it takes each column for by its name, and takes it for something else', async () => {
    const { page } = console;
    await console.open('/transfer');
    await choose('hr.csv', 'User Name,First Name,Last Name,Display,id\nhedy@example.com,Hedy,Lamarr,HL,7\n');
    await page.getByText('Columns: 3 of 5 are used').waitFor();
    const meanings = await page
      .locator('.columns select')
      .evaluateAll((selects) =>
        selects.map(
          (select) => (select as unknown as { selectedOptions: { text: string }[] }).selectedOptions[0]?.text,
        ),
      );
    // Nothing of it is cut off on a phone.
    await page.setViewportSize({ width: 360, height: 740 });
    const cut = await page.evaluate(`
      [...document.querySelectorAll('.columns select')].filter((select) => {
        const copy = select.cloneNode(true);
        copy.style.width = 'auto';
        document.body.append(copy);
        const needed = copy.getBoundingClientRect().width;
        copy.remove();
        return select.getBoundingClientRect().width < needed;
      }).length`);
    expect(cut).to.equal(0);
    await page.setViewportSize({ width: 1280, height: 720 });
    const by = (name: string) => `${name} (by its name)`;
    expect(meanings).to.deep.equal([by('Email'), by('Name'), by('Name'), by('Not used'), by('Not used')]);
    await page.getByText('New accounts (1)').click();
    await page.getByText('Hedy Lamarr').waitFor();
    await page.getByLabel('Meaning of Display').selectOption('Name');
    await page.getByText('Columns: 4 of 5 are used').waitFor();
    await page.getByText('New accounts (1)').click();
    await page.getByText('HL', { exact: true }).waitFor();
    await page.getByLabel('Meaning of Display').selectOption('');
    await page.getByText('Columns: 3 of 5 are used').waitFor();
    await page.getByText('New accounts (1)').click();
    await page.getByText('Hedy Lamarr').waitFor();
  });

  it('reads files in other charsets, and NDJSON, and refuses workbooks', async () => {
    const { page } = console;
    await console.open('/transfer');
    await choose('old.csv', Buffer.from('email;name;stra\xdfe\nrene@example.com;Ren\xe9;x\n', 'latin1'));
    await page.getByText('read as Windows-1252').waitFor();
    await page.getByText('New accounts (1)').click();
    await page.getByText('René').waitFor();
    await button('Choose another file').click();
    await choose('utf16.csv', Buffer.from('\uFEFFemail\tname\nzoe@example.com\tZoë\n', 'utf16le'));
    await page.getByText('New accounts (1)').click();
    await page.getByText('Zoë').waitFor();
    await button('Choose another file').click();
    await choose('lines.ndjson', '{"email":"ruth@example.com","preferences":{"theme":"dark"}}\n');
    await page.getByText('New accounts (1)').waitFor();
    await button('Choose another file').click();
    await choose('book.xlsx', 'PK');
    await page.getByText('Only CSV, TSV and NDJSON').waitFor();
    await console.expectAccessible();
  });

  it('lets one say what the columns of other charsets mean, too', async () => {
    const { page } = console;
    await console.open('/transfer');
    const header = '\uFEFF地址\t"Wer\t""genau"""\t部门😀\r\n';
    const utf16 = Buffer.from(`${header}zoe16@example.com\tZoë\t日本\r\n`, 'utf16le');
    const files: [name: string, bytes: Buffer, columns: [string, string, string]][] = [
      // As Excel writes "Unicode Text".
      ['unicode.txt', utf16, ['地址', 'Wer\t"genau"', '部门😀']],
      ['big.tsv', Buffer.from(utf16).swap16(), ['地址', 'Wer\t"genau"', '部门😀']],
      ['plain.csv', Buffer.from('Adr;Wer;X\nzoe16@example.com;Zoë;y\n', 'utf16le'), ['Adr', 'Wer', 'X']],
      [
        'windows.csv',
        Buffer.from('Stra\xdfe;Preis in \x80;\x8Cuvre\nzoe16@example.com;Zo\xeb;y\n', 'latin1'),
        ['Straße', 'Preis in €', 'Œuvre'],
      ],
    ];
    for (const [name, bytes, [address, who, other]] of files) {
      await choose(name, bytes);
      await page.getByText('Columns: 0 of 3 are used').waitFor();
      await page.getByLabel(`Meaning of ${address}`).selectOption('Email');
      await page.getByText('Columns: 1 of 3 are used').waitFor();
      await page.getByLabel(`Meaning of ${who}`).selectOption('Name');
      await page.getByText('Columns: 2 of 3 are used').waitFor();
      // What stays unused has the name that it has in the file.
      const unused = page.getByLabel(`Meaning of ${other}`).locator('option:checked');
      await unused.filter({ hasText: 'Not used (by its name)' }).waitFor({ state: 'attached' });
      await page.getByText('New accounts (1)').click();
      await page.getByText('Zoë').waitFor();
      if (name === 'unicode.txt') await console.expectAccessible();
      if (name !== 'windows.csv') await button('Choose another file').click();
    }
    await button('Import 1').click();
    await page.getByText('The import is done').waitFor();
    const [row] = await console.app.database.query("select name from users where email like 'zoe16%'");
    expect(row).to.deep.equal({ name: 'Zoë' });
  });

  it('imports ten thousand rows, and draws few of them', async () => {
    const { page } = console;
    const lines = Array.from({ length: 10_000 }, (_, index) => `row${index}@many.example,Row ${index}\n`);
    await console.open('/transfer');
    await choose('many.csv', `email,name\n${lines.join('')}`);
    await page.getByText('New accounts (10,000)').click();
    expect(await figure('would be created')).to.equal('10,000');
    expect(await page.locator('.lines li').count()).to.be.within(50, 60);
    await button('Show more').click();
    expect(await page.locator('.lines li').count()).to.be.within(200, 300);
    await button('Import 10,000').click();
    await page.getByText('The import is done').waitFor();
    expect(await emails()).to.have.length.greaterThan(10_000);
    await button('Take the whole import back…').click();
    await button('Undo 10,000 changes').click();
    await page.getByRole('heading', { name: 'The import is taken back.' }).waitFor({ timeout: 60_000 });
    expect(await emails()).to.have.length.lessThan(100);
  });

  it('stops a check on a slow network, and imports once when the answer was lost', async () => {
    const { page, app } = console;
    let answers = 0;
    await page.route('**/v1/users/import*', async (route) => {
      const isDryRun = route.request().url().includes('dryRun');
      if (isDryRun) {
        await new Promise((done) => setTimeout(done, 1_000));
        return route.continue().catch(() => undefined);
      }
      // The import is carried out, and its first answer does not arrive.
      const answer = await route.fetch();
      return answers++ === 0 ? route.abort() : route.fulfill({ response: answer });
    });
    await console.open('/transfer');
    await choose('slow.csv', 'email\nonce@example.com\n');
    await page.getByText('Checking the file').waitFor();
    await button('Cancel').click();
    await page.getByText('Checking the file').waitFor({ state: 'detached' });
    await page.getByRole('radio', { name: /Change them/ }).check();
    await button('Import 1').click();
    await page.getByText('The service does not answer').waitFor();
    await button('Try again').click();
    await page.getByText('The import is done').waitFor();
    expect(await figure('created')).to.equal('1');
    await page.unroute('**/v1/users/import*');
    const changes = await app.database.query(
      "select changes.id from changes join users on users.id = user_id where email = 'once@example.com'",
    );
    expect(changes).to.have.length(1);
    expect(answers).to.equal(2);
  });

  it('says why the import is refused: the last admin stays one', async () => {
    const { page } = console;
    await console.open('/transfer');
    await choose('demote.csv', 'email,role\nada@example.com,user\n');
    await page.getByText('Line 2').waitFor();
    await page.getByRole('radio', { name: /Change them/ }).check();
    await page.getByText('This is the last active admin').waitFor();
    await console.expectAccessible();
  });

  it('takes a dropped file, and can be used with the keyboard alone', async () => {
    const { page } = console;
    await console.open('/transfer');
    await page.locator('.drop').dispatchEvent('drop', {
      dataTransfer: await page.evaluateHandle(`(() => {
        const data = new DataTransfer();
        data.items.add(new File(['email\\nkeys@example.com\\n'], 'keys.csv'));
        return data;
      })()`),
    });
    await button('Import 1').waitFor();
    await button('Choose another file').focus();
    for (
      let steps = 0;
      (await page.evaluate('document.activeElement?.textContent')) !== 'Import 1';
      steps++
    ) {
      await page.keyboard.press('Tab');
      expect(steps).to.be.lessThan(20);
    }
    await page.keyboard.press('Enter');
    await page.getByText('The import is done').waitFor();
    await until('the account', async () => (await emails()).includes('keys@example.com'));
  });

  it('exports what the filters match, in the chosen format', async () => {
    const { page } = console;
    await console.open('/transfer');
    const download = async () => {
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Download' }).click(),
      ]);
      return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
    };
    const all = await download();
    expect(all.name).to.equal('accounts.csv');
    expect(all.text.split('\r\n')[0]).to.match(/^id,email,name/);
    await page.getByLabel('Role').selectOption('Admin');
    await page.getByLabel('Format').selectOption('NDJSON');
    const admins = await download();
    expect(admins.name).to.equal('accounts.ndjson');
    expect(JSON.parse(admins.text)).to.include({ email: 'ada@example.com' });
    await page.getByRole('searchbox').fill('nobody');
    await until('the search', async () =>
      (await page.getByRole('link', { name: 'Download' }).getAttribute('href'))?.includes('q=nobody'),
    );
    expect((await download()).text).to.equal('');
  });
});

describe('the import in the console of a service that requires reasons', function () {
  this.timeout(120_000);

  it('asks for one, and the history has it', async () => {
    const console = await openConsole({ reasonRequired: true });
    try {
      const { page, app } = console;
      await console.open('/transfer');
      const buffer = Buffer.from('email\nnew@example.com\n');
      await page.locator('input[type=file]').setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer });
      // A check needs none.
      await page.getByRole('button', { name: 'Import 1' }).click();
      await page.getByRole('dialog', { name: 'Say why' }).getByRole('textbox').fill('Moved here: Björn');
      await page.keyboard.press('Enter');
      await page.getByText('The import is done').waitFor();
      const changes = await app.database.query("select reason from changes where reason like 'Moved%'");
      expect(changes).to.deep.equal([{ reason: 'Moved here: Björn' }]);
    } finally {
      await console.close();
    }
  });
});
