import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('unsaved work in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let path: string;

  before(async () => {
    console = await openConsole();
    const { id } = await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' });
    path = `/accounts/${id}`;
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  const asked = () => console.page.getByRole('dialog', { name: 'Leave without saving?' });
  const field = () => console.page.getByRole('textbox', { name: 'Name', exact: true });
  const here = () => new URL(console.page.url()).pathname;
  const link = (name: string) => console.page.getByRole('link', { name, exact: true });
  const stay = async () => {
    await asked().getByRole('button', { name: 'Stay here' }).click();
    await asked().waitFor({ state: 'detached' });
    expect(await field().inputValue()).to.equal('Grace Brewster');
    expect(here()).to.equal(`/console${path}`);
  };
  const discard = async () => {
    await asked().getByRole('button', { name: 'Discard and leave' }).click();
    await asked().waitFor({ state: 'detached' });
  };

  /** From the list to an account, with a name typed there and not saved. */
  const type = async () => {
    await console.open('/activity');
    await link('Accounts').click();
    await link('Grace Hopper grace@example.com').click();
    await console.page.getByRole('button', { name: 'Edit Name' }).click();
    await field().fill('Grace Brewster');
  };

  it('stays when somebody follows a link and would rather keep it, and is gone when not', async () => {
    await type();
    await link('Accounts').first().click();
    await asked().waitFor();
    await console.expectAccessible();
    expect(await console.page.evaluate('document.activeElement.textContent')).to.equal('Stay here');
    await stay();
    await link('Activity').focus();
    await console.page.keyboard.press('Enter');
    await discard();
    await console.page.getByRole('heading', { name: 'Activity' }).waitFor();
    await link('Accounts').click();
    await link('Grace Hopper grace@example.com').waitFor();
  });

  it('stays at the back button, as often as that is pressed, and lets it go back in the end', async () => {
    const { page } = console;
    await type();
    for (let time = 0; time < 2; time++) {
      await page.goBack();
      await asked().waitFor();
      await stay();
    }
    await page.goBack();
    await discard();
    await page.waitForURL(/\/console\/accounts$/);
    await link('Grace Hopper grace@example.com').waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
  });

  it('stays while the view changes its own address, and is found there again', async () => {
    const { page } = console;
    await type();
    await page.getByRole('button', { name: 'As it was' }).first().click();
    await page.getByText('Grace Hopper').first().waitFor();
    await until('the time is in the address', async () => new URL(page.url()).search !== '');
    const { search } = new URL(page.url());
    await page.goBack();
    await asked().getByRole('button', { name: 'Stay here' }).click();
    expect(new URL(page.url()).search).to.equal(search);
    await page.getByRole('button', { name: 'Back to now' }).click();
    await stayed();
  });

  const stayed = async () => expect(await field().inputValue()).to.equal('Grace Brewster');

  it('stays when the palette leads elsewhere, or a sign-out', async () => {
    const { page } = console;
    await type();
    await page.getByRole('heading', { name: 'Grace Hopper' }).click();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('turned');
    await page.keyboard.press('Enter');
    await asked().waitFor();
    await page.keyboard.press('Escape');
    await asked().waitFor({ state: 'detached' });
    await stayed();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await asked().waitFor();
    await stay();
    expect(console.watched.requests.filter((url) => url.endsWith('/sign-out'))).to.deep.equal([]);
  });

  it('has the browser ask before the page is loaded again or closed', async () => {
    const { page } = console;
    await type();
    const questions: string[] = [];
    page.on('dialog', (dialog) => {
      questions.push(dialog.type());
      return dialog.dismiss();
    });
    await page.evaluate('location.reload()');
    await until('the browser asks', async () => questions.length > 0);
    expect(questions).to.deep.equal(['beforeunload']);
    await stayed();
    page.removeAllListeners('dialog');
  });

  it('is no matter where nothing was changed, or after it was saved or given up', async () => {
    const { page } = console;
    await type();
    await field().fill('Grace Hopper');
    await link('Activity').click();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    await type();
    await field().press('Escape');
    await page.goBack();
    await page.waitForURL(/\/console\/accounts$/);
    await link('Grace Hopper grace@example.com').click();
    await page.getByRole('button', { name: 'Edit Name' }).click();
    await field().fill('Grace Murray');
    await page.keyboard.press('Enter');
    await page.getByText('Name saved.').waitFor();
    await link('Activity').click();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    expect(await asked().count()).to.equal(0);
  });

  it('is kept in every form: preferences, a new account, a token that is shown once, one’s own account', async () => {
    const { page } = console;
    const refuses = async () => {
      await page.goBack();
      await asked().waitFor();
      await asked().getByRole('button', { name: 'Stay here' }).click();
      await asked().waitFor({ state: 'detached' });
    };
    const leaves = async () => {
      await page.goBack();
      await discard();
      await page.getByRole('heading', { name: 'Activity' }).waitFor();
    };
    const from = async (view: string) => {
      await console.open('/activity');
      await link(view).click();
    };
    await from('Accounts');
    await page.getByRole('button', { name: 'New account' }).click();
    await page.getByRole('textbox', { name: 'Email' }).fill('new@example.com');
    await refuses();
    expect(await page.getByRole('textbox', { name: 'Email' }).inputValue()).to.equal('new@example.com');
    await leaves();
    await from('Access');
    await page.getByRole('button', { name: 'New token' }).click();
    await page.getByLabel('Name').fill('mailer');
    await page.getByRole('button', { name: 'Create the token' }).click();
    await page.getByText('rc_').waitFor();
    await refuses();
    await page.getByText('rc_').waitFor();
    await leaves();
    await from('My account');
    await page.getByLabel('What the app keeps for you').fill('{"theme":');
    await refuses();
    await leaves();
    await console.open('/activity');
    await page.evaluate(`history.pushState(null, '', '/console${path}')`);
    await page.reload();
    await page.getByRole('button', { name: 'Edit Preferences' }).click();
    await page.getByRole('textbox', { name: 'New name' }).fill('theme');
    await page.keyboard.press('Enter');
    await refuses();
  });
});
