import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, REFUSED, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('addresses of the console that lead nowhere, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' });
  });

  after(() => console?.close());

  expectNoComplaints(() => console, REFUSED);

  const NO_PAGE = { level: 1, name: 'There is no such page' };
  const goTo = async (path: string, page: Page = console.page) =>
    (await page.goto(`${console.app.url}/console${path}`))?.status();

  it('say that there is no such page, with the navigation and a way on', async () => {
    const { page } = console;
    for (const path of [
      '/elsewhere',
      '/accounts/abc',
      '/accounts/7/history',
      '/%',
      '/accounts/%',
      '/a/b/c/',
    ]) {
      expect(await goTo(path), path).to.equal(404);
      await page.getByRole('heading', NO_PAGE).waitFor();
      expect(await page.title()).to.equal('There is no such page · Rollcall');
      expect(await page.getByRole('heading', { level: 1 }).count()).to.equal(1);
    }
    await console.expectAccessible();
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.getByRole('navigation').getByRole('link', { name: 'Accounts' }).click();
    await page.locator('tbody tr[data-id]').first().waitFor();
    expect(await page.title()).to.equal('Accounts · Rollcall');
    await page.goBack();
    await page.getByRole('heading', NO_PAGE).waitFor();
    await page.locator('main').getByRole('link', { name: 'Overview' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  });

  it('say it to people who are not admins, and to those who are not signed in', async () => {
    const { app } = console;
    const page = await console.openAnother('grace@example.com');
    expect(await goTo('/elsewhere', page)).to.equal(404);
    await page.getByRole('heading', NO_PAGE).waitFor();
    await page.locator('main').getByRole('link', { name: 'My account' }).click();
    await page.getByRole('heading', { level: 1, name: 'My account' }).waitFor();
    // A view of admins is said to be one; what only begins as its address does is none.
    await goTo('/accounts', page);
    await page.getByRole('heading', { name: 'For admins only' }).waitFor();
    await goTo('/accountsandmore', page);
    await page.getByRole('heading', NO_PAGE).waitFor();

    await page.context().clearCookies();
    await page.evaluate('localStorage.clear()');
    expect(await goTo('/elsewhere', page)).to.equal(404);
    await page.getByRole('heading', NO_PAGE).waitFor();
    expect(await page.getByRole('navigation').count()).to.equal(0);
    const signIn = page.getByRole('link', { name: 'Sign in to the console' });
    await signIn.click();
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
    expect(page.url()).to.equal(`${app.url}/console`);
    expect(await page.title()).to.equal('Sign in to the console · Rollcall');
    await page.context().close();
  });

  it('are accessible for those who are not signed in', async () => {
    const { page } = console;
    const cookies = await page.context().cookies();
    await page.context().clearCookies();
    await page.evaluate('localStorage.clear()');
    await goTo('/elsewhere');
    await page.getByRole('heading', NO_PAGE).waitFor();
    await console.expectAccessible();
    await page.context().addCookies(cookies);
  });

  const wrong = () => console.page.getByRole('alert').locator('dl > div');
  const button = (name: string) => console.page.getByRole('button', { name });

  it('say which filters of the list are wrong and what they can be, and show it without them', async () => {
    const { page } = console;
    await goTo('/accounts?role=boss&q=grace');
    await page.getByRole('heading', { name: 'A filter in the address is wrong' }).waitFor();
    expect(await wrong().allInnerTexts()).to.deep.equal(['Role boss\nMust be "user" or "admin".']);
    expect(await page.getByRole('row').count()).to.equal(0);
    expect(await page.getByLabel('Role').locator('option:checked').innerText()).to.equal('boss');
    await console.expectAccessible();
    await button('Show everything without it').click();
    await page.locator('tbody tr[data-id]').first().waitFor();
    expect(await page.locator('tbody tr[data-id]').count()).to.equal(1);
    expect(new URL(page.url()).search).to.equal('?q=grace');
    expect(await page.evaluate('document.activeElement?.id')).to.equal('view');

    await goTo(`/accounts?sort=name&createdSince=yesterday&domain=${'x'.repeat(300)}&status=active`);
    await page.getByRole('heading', { name: 'Some filters in the address are wrong' }).waitFor();
    const said = await wrong().allInnerTexts();
    expect(said).to.have.length(3);
    expect(said.join('\n'))
      .to.include('Order name\nMust be "createdAt", "-createdAt",')
      .and.to.include('Created since yesterday\nMust be a time with an offset, such as 2026-01-31T12:00:00Z.')
      .and.to.include(`Domain ${'x'.repeat(80)}…\nMust have 1 to 255 characters.`);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
    await page.setViewportSize({ width: 1280, height: 720 });
    await button('Show everything without them').click();
    await page.locator('tbody tr[data-id]').nth(1).waitFor();
    expect(new URL(page.url()).search).to.equal('?status=active');
    // A wrong choice is also mended by another one.
    await goTo('/accounts?role=boss');
    await page.getByLabel('Role').selectOption('admin');
    await page.locator('tbody tr[data-id]').first().waitFor();
    expect(new URL(page.url()).search).to.equal('?role=admin');
  });

  it('say which filters of the activity are wrong and what they can be, and show it without them', async () => {
    const { page } = console;
    const day = 'Must be a day, such as 2026-01-31.';
    for (const [query, ...texts] of [
      ['from=yesterday', `From yesterday\n${day}`],
      ['to=2026-02-30&from=2026-02-28', `To 2026-02-30\n${day}`],
      ['action=eaten', 'Action eaten\nMust be "created", "updated", or "deleted".'],
      ['account=grace', 'Account grace\nMust be an id.'],
      ['field=shoe', 'Field shoe\nMust be email, name,'],
      ['from=never&action=eaten', `From never\n${day}`, 'Action eaten\n'],
    ]) {
      await goTo(`/activity?${query}`);
      await wrong()
        .nth(texts.length - 1)
        .waitFor();
      const said = await wrong().allInnerTexts();
      expect(said, query).to.have.length(texts.length);
      for (const [index, text] of texts.entries()) expect(said[index], query).to.include(text);
      expect(await page.locator('.entry').count(), query).to.equal(0);
    }
    await console.expectAccessible();
    await button('Show everything without them').click();
    await page.locator('.entry').first().waitFor();
    expect(new URL(page.url()).search).to.equal('');
    await goTo('/activity?from=yesterday&action=created');
    await button('Show everything without it').click();
    await page.locator('.entry').first().waitFor();
    expect(new URL(page.url()).search).to.equal('?action=created');
  });

  it('show hostile filters as the text that they are', async () => {
    const { page } = console;
    const hostile = '<img src=x onerror=alert(1)>';
    await goTo(`/accounts?role=${encodeURIComponent(hostile)}`);
    await wrong().getByText(hostile).waitFor();
    expect(await page.locator('img[src="x"]').count()).to.equal(0);
  });

  it('say of an account that there is none', async () => {
    const { page } = console;
    expect(await goTo('/accounts/999')).to.equal(200);
    await page.getByRole('heading', { level: 1, name: 'There is no account 999' }).waitFor();
    expect(await page.getByRole('heading', { level: 1 }).count()).to.equal(1);
    await console.expectAccessible();
    await page.locator('main').getByRole('link', { name: 'Accounts' }).click();
    await page.locator('tbody tr[data-id]').first().waitFor();
  });

  it('say of an account what went wrong where that is not known', async () => {
    const { page } = console;
    const history = '**/v1/users/999/history*';
    await page.route(history, (route) => route.fulfill({ status: 502, body: 'no answer of the service' }));
    await goTo('/accounts/999');
    await page.getByRole('heading', { name: 'This could not be loaded' }).waitFor();
    await page.unroute(history);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'There is no account 999' }).waitFor();
    expect(console.watched.takeComplaints().join()).to.include('502');
  });
});
