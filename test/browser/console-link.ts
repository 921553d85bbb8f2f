import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { codeFor } from '../support/console.ts';
import {
  ADA,
  CUT_OFF,
  expectNoComplaints,
  openConsole,
  REFUSED,
  type TestConsole,
} from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the link that opens the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await addAccount(console.app.database, 'bob@example.com', { name: 'Bob' });
    await console.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  });

  beforeEach(() => console.page.context().clearCookies());

  after(() => console?.close());

  expectNoComplaints(() => console, REFUSED, CUT_OFF);

  const linkFor = async (email: string, view = '') =>
    `${console.app.url}/console${view}#code=${await codeFor(console.app, email)}`;
  /** A new page, as a click on a link opens it: an address that differs in its fragment alone would load nothing. */
  const follow = async (link: string) => {
    await console.page.goto('about:blank');
    await console.page.goto(link);
  };
  const use = () => console.page.getByRole('button', { name: 'Use this link' });

  it('says without one how to get it, and copies the command', async () => {
    const { page, app } = console;
    await page.goto(`${app.url}/console`);
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
    expect(await use().count()).to.equal(0);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).to.equal(
      'npm run accounts console you@example.com',
    );
    await console.expectAccessible();
  });

  it('signs in after a click, by the keyboard, to the view that it names, and leaves no code in the address', async () => {
    const { page } = console;
    await follow(await linkFor(ADA, '/activity'));
    await use().waitFor();
    expect(page.url()).not.to.include('code');
    await console.expectAccessible();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    expect(await page.context().cookies()).to.have.length(1);
    expect(await page.evaluate('document.cookie')).to.equal('');
  });

  it('works once: the second time it says so, and how to get another one', async () => {
    const { page } = console;
    const link = await linkFor('bob@example.com');
    await follow(link);
    await use().click();
    await page.getByRole('heading', { name: 'My account' }).waitFor();
    await page.context().clearCookies();
    await follow(link);
    await use().click();
    await page.getByRole('alert').waitFor();
    await page.getByText('Get a link on the server').waitFor();
    expect(await use().count()).to.equal(0);
    expect(await page.context().cookies()).to.deep.equal([]);
    await console.expectAccessible();
  });

  it('refuses a link that is too old, and shows a name as it is', async () => {
    const { page, app } = console;
    await follow(`${app.url}/console#code=${await codeFor(app, ADA, -1)}`);
    await use().click();
    await page.getByRole('alert').waitFor();
    await follow(`${app.url}/console#code=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
    await use().click();
    await page.getByRole('alert').waitFor();
  });

  it('can be tried again where the service did not answer', async () => {
    const { page } = console;
    await page.route('**/v1/session', (route) => route.abort());
    await follow(await linkFor(ADA));
    await page.getByText('The service does not answer').waitFor();
    await console.expectAccessible();
    await page.unroute('**/v1/session');
    // By itself: no browser says that a service can be reached again.
    await use().waitFor();
    await page.route('**/v1/session/code', (route) => route.abort());
    await use().click();
    await page.getByText('The service does not answer').waitFor();
    await page.unroute('**/v1/session/code');
    await page.route('**/v1/session/code', async (route) => {
      await new Promise((done) => setTimeout(done, 700));
      await route.continue();
    });
    await use().click();
    await page.locator('button[disabled]').waitFor();
    await page.getByRole('navigation').waitFor();
    await page.unroute('**/v1/session/code');
  });

  it('is taken where it is opened on the page that asks for it, which loads nothing then', async () => {
    const { page, app } = console;
    await page.goto(`${app.url}/console/`);
    await page.getByText('Get a link on the server').waitFor();
    await page.goto(`${app.url}/console/#code=${await codeFor(app, ADA)}`);
    await use().click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    expect(page.url()).not.to.include('code');
  });

  it('asks whoever is signed in, and changes to the account that it was made for', async () => {
    const { page, app } = console;
    await console.signIn();
    await page.goto(`${app.url}/console/me`);
    await page.getByRole('heading', { name: 'My account' }).waitFor();
    await page.goto(`${app.url}/console/me#code=${await codeFor(app, 'bob@example.com')}`);
    const dialog = page.getByRole('dialog', { name: 'Use this link?' });
    await dialog.getByText(ADA).waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByRole('link', { name: 'Accounts' }).count()).to.equal(1);
    await follow(await linkFor('bob@example.com', '/me'));
    await use().click();
    await page.getByText('bob@example.com').first().waitFor();
    expect(await page.getByRole('link', { name: 'Accounts' }).count()).to.equal(0);
  });

  it('leaves whoever is signed in where they are when it works no more, and says so', async () => {
    const { page, app } = console;
    await console.signIn();
    await follow(`${app.url}/console/me#code=${await codeFor(app, 'bob@example.com', -1)}`);
    await use().click();
    await page.locator('.toast.bad').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.getByRole('link', { name: 'Accounts' }).count()).to.equal(1);
  });
});
