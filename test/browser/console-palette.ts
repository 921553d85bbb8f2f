import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the palette of the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let id: number;

  before(async () => {
    console = await openConsole();
    ({ id } = await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' }));
    await console.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  const stored = async () => {
    const [row] = await console.app.database.query<{ status: string; version: number }>(
      'select status, version from users where id = $1',
      [id],
    );
    return row;
  };
  const options = () => console.page.locator('#commands').getByRole('option');
  const dialog = (name: string) => console.page.getByRole('dialog', { name });

  /** Does by the keyboard what the palette calls so. */
  const run = async (label: string, typed = label) => {
    const { page } = console;
    await page.keyboard.press('Control+k');
    await page.keyboard.type(typed);
    await options().filter({ hasText: label }).first().waitFor();
    for (let step = 0; step < 20; step++) {
      if ((await page.locator('[aria-selected="true"]').innerText()).includes(label)) break;
      await page.keyboard.press('ArrowDown');
    }
    await page.keyboard.press('Enter');
    await dialog('Go somewhere or do something').waitFor({ state: 'detached' });
  };

  it('offers what can be done to the account on the page, by the dialogs of its buttons', async () => {
    const { page } = console;
    await console.open(`/accounts/${id}`);
    await page.locator('.timeline .event').first().waitFor();
    await page.keyboard.press('Control+k');
    const here = page.getByRole('group', { name: 'On this page' });
    expect(await here.getByRole('option').allInnerTexts()).to.deep.equal([
      'Undo the last change',
      'Copy the email\ngrace@example.com',
      `Copy the id\n${id}`,
      'Suspend the account\ngrace@example.com',
      'Delete the account\ngrace@example.com',
    ]);
    await console.expectAccessible();
    await page.keyboard.press('Escape');

    await run('Suspend the account', 'suspend acc');
    await dialog('Suspend the account').getByText('This is what will change').waitFor();
    expect(await stored()).to.include({ status: 'active', version: 1 });
    await dialog('Suspend the account').getByRole('button', { name: 'Suspend' }).click();
    await page.getByText('grace@example.com is suspended.').waitFor();
    expect(await stored()).to.include({ status: 'suspended', version: 2 });

    await run('Undo the last change', 'undo');
    await dialog('Undo this change').getByText('This is what will change').waitFor();
    await dialog('Undo this change').getByRole('button', { name: 'Undo', exact: true }).click();
    await page.getByText('The change is undone.').waitFor();
    expect(await stored()).to.include({ status: 'active', version: 3 });

    await run('Copy the email', 'copy');
    await page.getByText('grace@example.com is copied.').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).to.equal('grace@example.com');
    await run('Copy the id');
    await page.getByText(`${id} is copied.`).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).to.equal(`${id}`);
  });

  it('restores an account that was deleted meanwhile', async () => {
    const { page } = console;
    await run('Delete the account', 'delete');
    await dialog('Delete the account').getByText('This is what will be deleted').waitFor();
    await dialog('Delete the account').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('grace@example.com is deleted.').waitFor();
    await run('Restore the account', 'restore');
    await dialog('Restore this account').getByText('comes back').waitFor();
    await dialog('Restore this account').getByRole('button', { name: 'Restore' }).click();
    await page.getByRole('button', { name: 'Edit Name' }).waitFor();
    // Chromium reports every refusal: the account was not there for a while.
    for (const complaint of console.watched.takeComplaints()) expect(complaint).to.include('404 (Not Found)');
  });

  it('exports the list as it is filtered', async () => {
    const { page } = console;
    await console.open('/accounts?q=hopper');
    await page.getByRole('link', { name: 'Grace Hopper' }).waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), run('Export this list as CSV', 'csv')]);
    expect(file.suggestedFilename()).to.match(/\.csv$/);
    const lines = (await readFile(await file.path(), 'utf8')).trim().split(/\r?\n/);
    expect(lines).to.have.length(2);
    expect(lines[1]).to.include('grace@example.com');
  });

  it('creates an account from any view, which the list then has', async () => {
    const { page } = console;
    await run('Activity');
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    await run('New account', 'new');
    await dialog('New account').getByLabel('Email').fill('katherine@example.com');
    await page.keyboard.press('Enter');
    await page.getByText('katherine@example.com has an account now').waitFor();
    await run('Accounts');
    await page.getByRole('link', { name: 'katherine@example.com' }).waitFor();
    await run('New account', 'new');
    await dialog('New account').getByLabel('Email').fill('dorothy@example.com');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'dorothy@example.com' }).waitFor();
  });

  it('changes the theme, shows the keys, finds accounts, and says when nothing matches', async () => {
    const { page } = console;
    const theme = () => page.evaluate('document.documentElement.dataset.theme');
    await run('Theme: Dark', 'dark');
    expect(await theme()).to.equal('dark');
    await run('Theme: System', 'theme');
    expect(await theme()).to.equal(undefined);
    await run('Show the keys', 'keys');
    await dialog('Keyboard').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Search…' }).click();
    await page.keyboard.type('no such thing');
    await page.getByText('Nothing matches.').waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await run('Grace Hopper', 'grace');
    await page.waitForURL(`**/console/accounts/${id}`);
  });

  it('offers everybody else their own account alone, and signs out', async () => {
    const page = await console.openAnother('grace@example.com');
    await page.goto(`${console.app.url}/console`);
    await page.getByRole('heading', { name: 'My account' }).waitFor();
    await page.keyboard.press('Control+k');
    expect(await page.locator('#commands').getByRole('option').allInnerTexts()).to.deep.equal([
      'My account',
      'Theme: Light',
      'Theme: Dark',
      'Show the keys',
      'Sign out',
    ]);
    await page.getByRole('option', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  });

  it('names its key as the keyboard does, and takes the one of the other kind too', async () => {
    for (const [platform, name, keys] of [
      ['MacIntel', '⌘K', ['⌘K']],
      ['Linux x86_64', 'Ctrl K', ['Ctrl', 'K']],
    ] as const) {
      const page = await console.openAnother();
      await page.addInitScript(`Object.defineProperty(navigator, 'platform', { get: () => '${platform}' })`);
      await page.goto(`${console.app.url}/console/accounts`);
      await page.getByRole('button', { name: 'Search…' }).locator('kbd').getByText(name).waitFor();
      for (const key of ['Meta+k', 'Control+k']) {
        await page.keyboard.press(key);
        await page.locator('#commands').waitFor();
        await page.keyboard.press('Escape');
        await page.locator('#commands').waitFor({ state: 'detached' });
      }
      await page.keyboard.press('?');
      const help = page.getByRole('dialog', { name: 'Keyboard' });
      const opens = help.locator('dt').filter({ hasText: /K/ });
      expect(await opens.locator('kbd').allInnerTexts()).to.deep.equal(keys);
      await page.context().close();
    }
  });

  it('says what Enter and Esc do too, the keys of the view first, and clears a selection by Esc', async () => {
    const { page } = console;
    for (const [path, enter] of [
      ['/accounts', 'Open the account'],
      ['/activity', 'Only changes by its author'],
    ] as const) {
      await console.open(path);
      await page.locator('tbody tr[data-id], .entry').first().waitFor();
      await page.keyboard.press('?');
      const help = page.getByRole('dialog', { name: 'Keyboard' });
      const keys = (await help.locator('dt').allInnerTexts()).map((key) => key.trim());
      const acts = await help.locator('dd').allInnerTexts();
      expect(acts[keys.indexOf('Enter')], path).to.equal(enter);
      expect(keys.slice(-2), path).to.deep.equal(['?', 'Esc']);
      expect(keys[0], path).to.equal('/');
      await page.keyboard.press('Escape');
      await help.waitFor({ state: 'detached' });
    }
    await console.open('/accounts');
    await page.locator('tbody').getByRole('checkbox').first().check();
    const selected = page.getByRole('region', { name: 'Selected accounts' });
    await selected.waitFor();
    await page.keyboard.press('Escape');
    await selected.waitFor({ state: 'detached' });
  });

  it('takes keys of a keyboard with other letters by their places', async () => {
    const { page } = console;
    await console.open('/accounts');
    await page.locator('tbody tr[data-id]').first().waitFor();
    // What a Russian keyboard sends for J, and for K with Ctrl.
    const press = (key: string, code: string, ctrlKey = false) =>
      page.locator('body').dispatchEvent('keydown', { key, code, ctrlKey, bubbles: true, cancelable: true });
    await press('о', 'KeyJ');
    await page.locator('tbody tr[data-id] a:focus').waitFor();
    await press('л', 'KeyK', true);
    await page.locator('#commands').waitFor();
    await page.keyboard.press('Escape');
  });
});
