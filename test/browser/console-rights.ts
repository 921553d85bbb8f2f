import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { addAccount } from '../support/accounts.ts';
import { ADA, openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('an admin who is demoted or suspended while the console is open, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let page: Page;
  let id: number;

  before(async () => {
    console = await openConsole();
  });

  after(() => console?.close());

  beforeEach('another admin has the console open', async () => {
    const email = `grace${Date.now()}@example.com`;
    ({ id } = await addAccount(console.app.database, email, { role: 'admin' }));
    page = await console.openAnother(email);
  });

  afterEach(() => page.context().close());

  const open = async (path: string) => {
    await page.goto(`${console.app.url}/console${path}`);
    await page.locator('main.view').waitFor();
  };
  const change = (values: object) => console.patch(`/v1/users/${id}`, values);
  const nav = () => page.getByRole('navigation').getByRole('link');

  it('sees no accounts any more with the next thing that is asked for, and still has the own account', async () => {
    await open('/accounts');
    await page.locator('tbody tr[data-id]').first().waitFor();
    await change({ role: 'user' });
    await page.getByRole('searchbox').fill('ada');
    await page.getByRole('heading', { name: 'For admins only' }).waitFor();
    expect(await page.getByText(ADA).count()).to.equal(0);
    expect(await nav().allInnerTexts()).to.deep.equal(['My account']);
    await nav().click();
    await page.getByRole('heading', { name: 'My account' }).waitFor();
  });

  it('is told so without asking for anything, where changes arrive live', async () => {
    await open('/activity');
    await page
      .getByTestId('live')
      .filter({ hasText: /^Live$/ })
      .waitFor();
    await change({ role: 'user' });
    await page.getByRole('heading', { name: 'For admins only' }).waitFor();
  });

  it('is asked to sign in again after a suspension, and keeps what was typed', async () => {
    await open(`/accounts/${id}`);
    await page.getByRole('button', { name: 'Edit Name' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Grace Hopper');
    await change({ status: 'suspended' });
    await page.getByLabel('Name', { exact: true }).press('Enter');
    await page.getByRole('dialog').getByText('Your session has ended').waitFor();
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).to.equal('Grace Hopper');
  });
});
