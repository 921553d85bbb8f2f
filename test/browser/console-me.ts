import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { ADA, expectNoComplaints, openConsole, REFUSED, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';

const BOB = 'bob@example.com';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('my account in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await addAccount(console.app.database, BOB, { name: '<img src=x onerror=alert(1)>' });
  });

  after(() => console?.close());

  expectNoComplaints(() => console, REFUSED);

  const stored = async (email: string) => {
    const [row] = await console.app.database.query<{
      id: number;
      name: string | null;
      storage_mode: string;
      preferences: Record<string, unknown> | null;
    }>(`select id, name, storage_mode, preferences from users where email = '${email}'`);
    return row;
  };
  const button = (name: string) => console.page.getByRole('button', { name, exact: true });
  const change = (values: object) => console.patch('/v1/me', values);

  it('changes my name and storage, by the keyboard, and changes them back', async () => {
    const { page } = console;
    await console.open('/me');
    const name = page.getByLabel('Name', { exact: true });
    await name.fill('Ada King');
    await name.press('Tab');
    await page.keyboard.press('ArrowUp');
    await name.press('Enter');
    await page.getByText('Saved.').waitFor();
    expect(await stored(ADA)).to.include({ name: 'Ada King', storage_mode: 'account' });
    await page.getByRole('deletion').filter({ hasText: 'Ada Lovelace' }).waitFor();
    await console.expectAccessible();
    await button('Undo').click();
    await page.getByText('Changed back.').waitFor();
    expect(await stored(ADA)).to.include({ name: 'Ada Lovelace' });
    await until('the name', () =>
      page.evaluate(`document.querySelector('#my-name')?.value === 'Ada Lovelace'`),
    );
  });

  it('checks preferences as they are typed, and shows what the service refuses', async () => {
    const { page } = console;
    await console.open('/me');
    const text = page.getByRole('textbox', { name: 'What the app keeps for you, as JSON.' });
    // Nothing takes little room.
    expect(await text.inputValue()).to.equal('{}');
    expect((await text.boundingBox())?.height).to.be.below(90);
    await text.fill('{"theme": ');
    expect(await text.getAttribute('aria-invalid')).to.equal('true');
    const save = page.locator('form').filter({ has: text }).getByRole('button', { name: 'Save' });
    expect(await save.isDisabled()).to.equal(true);
    await text.fill('[1]');
    await page.getByText('Must be an object').waitFor();
    await text.fill(
      `{"theme":"dark","note":"${'\u{1F600}'.repeat(255)}","x":"<img src=x onerror=alert(1)>"}`,
    );
    await save.click();
    await page.getByText('Saved.').first().waitFor();
    expect((await stored(ADA))?.preferences).to.include({ theme: 'dark', x: '<img src=x onerror=alert(1)>' });
    await text.fill(`{"big":"${'x'.repeat(40_000)}"}`);
    await save.click();
    await page.getByRole('alert').waitFor();
    expect(await text.inputValue()).to.include('xxx');
    await console.expectAccessible();
  });

  it('keeps what was typed when somebody else has changed the account', async () => {
    const { page } = console;
    await console.open('/me');
    const name = page.getByLabel('Name', { exact: true });
    await name.fill('Mine');
    await change({ name: 'Theirs' });
    await name.press('Enter');
    await page.getByText('What you typed is still here').waitFor();
    expect(await name.inputValue()).to.equal('Mine');
    await button('Show the new values').click();
    await until('the name', () => page.evaluate(`document.querySelector('#my-name')?.value === 'Theirs'`));
    await name.fill('Mine again');
    await change({ name: 'Theirs again' });
    await name.press('Enter');
    await button('Save mine over it').click();
    await page.getByText('Saved.').first().waitFor();
    expect(await stored(ADA)).to.include({ name: 'Mine again' });
  });

  it('saves what is mine beside what an app has changed meanwhile, without a question', async () => {
    const { page } = console;
    await console.open('/me');
    const name = page.getByLabel('Name', { exact: true });
    await name.fill('Beside');
    const preferences = page.locator('#my-preferences');
    await preferences.fill('{ "theme": "dark" }');
    await change({ storageMode: 'account' });
    await name.press('Enter');
    await page.getByText('Saved.').first().waitFor();
    await change({ name: 'Beside that' });
    await page.locator('form').filter({ has: preferences }).getByRole('button', { name: 'Save' }).click();
    await until('both', async () => (await stored(ADA))?.preferences?.['theme'] === 'dark');
    expect(await stored(ADA)).to.include({ name: 'Beside that', storage_mode: 'account' });
    expect(await page.getByText('What you typed is still here').count()).to.equal(0);
  });

  it('keeps what was typed when the session ends', async () => {
    const { page } = console;
    await console.open('/me');
    const name = page.getByLabel('Name', { exact: true });
    await name.fill('Typed before');
    await console.app.database.query('delete from console_sessions');
    await name.press('Enter');
    await page.getByText('Your session has ended').waitFor();
    expect(await name.inputValue()).to.equal('Typed before');
    await console.signIn();
  });

  it('shows my sessions and ends another one', async () => {
    const { page } = console;
    await console.open('/me');
    const current = page.getByRole('listitem').filter({ hasText: 'This browser' });
    await current.waitFor();
    // The one that counts is the last.
    const cookies = await page.context().cookies();
    await console.signIn();
    await page.context().clearCookies();
    await page.context().addCookies(cookies);
    await page.reload();
    const others = page.getByRole('button', { name: /^Sign out ./ });
    await others.nth(1).waitFor();
    expect(await others.count()).to.equal(2);
    const other = page.getByRole('listitem').filter({ has: others }).filter({ hasNotText: 'This browser' });
    await other.getByRole('button').click();
    await page.getByText('Signed out there.').waitFor();
    await other.waitFor({ state: 'detached' });
    await current.waitFor();
  });

  it('hands out my data as a file', async () => {
    const { page } = console;
    await console.open('/me');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download my data' }).click(),
    ]);
    expect(download.suggestedFilename()).to.equal('account.json');
    const data = JSON.parse(await readFile(await download.path(), 'utf8'));
    expect(data).to.have.keys('account', 'identities', 'sessions', 'history');
    expect(data.account.email).to.equal(ADA);
  });

  it('refuses to delete the last admin, and says why', async () => {
    const { page } = console;
    await console.open('/me');
    await button('Delete my account…').click();
    await page.getByText('You are the last active admin').waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement?.textContent')).to.equal('Delete my account…');
  });

  it('is the start page of everybody else, who can delete the account after typing its email', async () => {
    const { page } = console;
    // As in a browser of theirs, which has not seen an admin.
    await console.open('');
    await page.context().clearCookies();
    await page.evaluate('localStorage.clear()');
    await console.signIn(BOB);
    await console.open('');
    await page.getByText('The rest of the console is for admins').waitFor();
    await page.getByLabel('Name', { exact: true }).waitFor();
    expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).to.deep.equal([
      'My account',
    ]);
    await console.expectAccessible();
    await button('Delete my account…').click();
    const confirm = button('Delete my account');
    await page.getByText('You are signed out everywhere').waitFor();
    expect(await confirm.isDisabled()).to.equal(true);
    await page.getByText('What is removed').click();
    await page.getByRole('dialog').getByText('<img src=x onerror=alert(1)>').waitFor();
    await console.expectAccessible();
    await page.getByLabel('Type your email to confirm').fill('BOB@example.com');
    await confirm.click();
    await page.getByText('Your account is deleted').waitFor();
    expect(await stored(BOB)).to.equal(undefined);
    await button('Leave').click();
    await page.getByText('Sign in to the console').waitFor();
  });
});
