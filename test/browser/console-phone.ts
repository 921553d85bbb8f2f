import { expect } from 'chai';
import { VIEW_NAMES } from '../../src/console/addresses.ts';
import { addAccount } from '../support/accounts.ts';
import { openConsole, type TestConsole } from '../support/console-page.ts';

/** A small phone. */
const PHONE = { width: 360, height: 740 };

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console on a phone, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let id: number;

  before(async () => {
    console = await openConsole();
    ({ id } = await addAccount(console.app.database, `${'long'.repeat(15)}@sub.domain.example.com`, {
      name: 'Wolfeschlegelsteinhausenbergerdorff '.repeat(6).trim(),
    }));
    await console.page.setViewportSize(PHONE);
  });

  after(() => console?.close());

  afterEach('the policy refused nothing, and nothing came from elsewhere', () => {
    const { watched, app } = console;
    expect(watched.complaints).to.deep.equal([]);
    expect(watched.requests.filter((url) => !url.startsWith(app.url))).to.deep.equal([]);
  });

  const bar = () => console.page.getByRole('navigation', { name: 'Main' });
  const sheet = () => console.page.getByRole('dialog', { name: 'More' });
  const topOfBar = async () => (await bar().boundingBox())?.y ?? 0;

  it('scrolls no view sideways, and says each of five places of the bar in one line', async () => {
    const { page } = console;
    for (const view of [...VIEW_NAMES, `accounts/${id}`]) {
      await console.open(`/${view}`);
      await page.locator('main.view h1').waitFor();
      await page.waitForLoadState('load');
      await page.locator('.bone').first().waitFor({ state: 'detached' });
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect(width, view).to.equal(PHONE.width);
    }
    const places = await bar().locator('a:visible, button:visible').all();
    expect(places).to.have.length(5);
    for (const place of places) {
      const [text, box] = [await place.innerText(), await place.boundingBox()];
      expect(text.trim()).to.not.include('\n');
      expect(box?.height, text).to.be.within(44, 48);
    }
  });

  it('has the other views, the theme and who is signed in behind “More”', async () => {
    const { page } = console;
    await console.open('/accounts');
    await bar().getByRole('button', { name: 'More' }).click();
    await sheet().getByText('ada@example.com').waitFor();
    await console.expectAccessible();
    await sheet().getByLabel('Theme').selectOption('dark');
    expect(await page.evaluate<string>('document.documentElement.dataset.theme')).to.equal('dark');
    await sheet().getByLabel('Theme').selectOption('system');
    // A touch beside it closes it, and gives the focus back.
    await page.mouse.click(180, 40);
    await sheet().waitFor({ state: 'detached' });
    expect(await page.evaluate<string>('document.activeElement.textContent')).to.equal('More');
    await page.keyboard.press('Enter');
    await sheet().getByRole('link', { name: 'Access' }).click();
    await page.waitForURL(/\/console\/access$/);
    await sheet().waitFor({ state: 'detached' });
    await console.expectAccessible();
  });

  it('shows messages above the bar, and those beside a selection at the top', async () => {
    const { page } = console;
    await console.open(`/accounts/${id}`);
    await page.getByRole('button', { name: 'Suspend' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('This is what will change').waitFor();
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    const toast = page.locator('.toast').filter({ hasText: 'is suspended' });
    await toast.waitFor();
    const box = await toast.boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? 0)).to.be.below(await topOfBar());
    await bar().getByRole('link', { name: 'Accounts' }).click();
    await page.getByRole('checkbox', { name: 'Select ada@example.com' }).check();
    const selected = await page.getByRole('region', { name: 'Selected accounts' }).boundingBox();
    expect((selected?.y ?? 0) + (selected?.height ?? 0)).to.be.below(await topOfBar());
    const moved = await toast.boundingBox();
    expect((moved?.y ?? 0) + (moved?.height ?? 0)).to.be.below(selected?.y ?? 0);
    await console.expectAccessible();
  });

  it('says of a suspended admin when the role ends, beside the name and in a row of the same height', async () => {
    const { page, app } = console;
    const { id } = await addAccount(app.database, 'interim@example.com', { role: 'admin', name: 'In Terim' });
    const until = '2040-12-07T12:00:00Z';
    await app.database.query(`update users set role_until = $2, status = 'suspended' where id = $1`, [
      id,
      until,
    ]);
    await console.open('/accounts?q=im@');
    const row = page.locator(`tr[data-id="${id}"]`);
    for (const text of ['Admin', 'Dec 7, 2040', 'Suspended']) {
      const said = row.locator('.small-only').getByText(text, { exact: true });
      const [box, own] = [await said.boundingBox(), await row.boundingBox()];
      expect(box?.y, text).to.be.at.least(own?.y ?? Number.NaN);
      expect((box?.y ?? 0) + (box?.height ?? 0), text).to.be.at.most((own?.y ?? 0) + (own?.height ?? 0));
      expect((box?.x ?? 0) + (box?.width ?? 0), text).to.be.at.most(PHONE.width);
      expect(own?.height).to.be.within(51, 53);
    }
    await row.getByRole('link', { name: 'In Terim' }).waitFor();
  });

  it('signs out there', async () => {
    const { page } = console;
    await console.open('/activity');
    await bar().getByRole('button', { name: 'More' }).click();
    await sheet().getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  });
});
