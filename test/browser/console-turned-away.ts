import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the refused sign-ins in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole({ accessPolicy: { policy: 'domains', domains: ['inside.example'] } });
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  const row = (email: string) => console.page.locator(`tr[data-email="${email}"]`);

  const knock = async (email: string) => {
    const answer = await console.app.call('/v1/me', { as: email });
    expect(answer.status, await answer.text()).to.equal(403);
  };

  it('says that nobody was, and who may sign in', async () => {
    const { page } = console;
    await console.open('/turned-away');
    await page.getByText('Nobody was turned away').waitFor();
    await page.getByText('inside.example').waitFor();
    await console.expectAccessible();
  });

  it('shows who was refused and why, and what to do about each', async () => {
    const { page, app } = console;
    const { id } = await addAccount(app.database, 'sus@example.com');
    await app.database.query(`update users set status = 'suspended' where id = ${id}`);
    await knock('otto@example.com');
    await knock('otto@example.com');
    await knock('sus@example.com');
    await page.getByRole('button', { name: 'Look again' }).click();
    await row('otto@example.com').getByText('No account', { exact: true }).waitFor();
    await row('otto@example.com')
      .locator('.number', { hasText: /Attempts 2 since/ })
      .waitFor();
    await knock('olga@example.com');
    await page.getByRole('button', { name: 'Look again' }).click();
    await row('olga@example.com').waitFor();
    // What a reason means is said once, and each row is one line.
    for (const text of ['There is no account with this email', 'is suspended. Restore it']) {
      expect(await page.getByText(text).count(), text).to.equal(1);
    }
    const described = await row('sus@example.com').locator('.why').getAttribute('aria-describedby');
    expect(await page.locator(`#${described}`).innerText()).to.include('is suspended. Restore it');
    for (const one of await page.locator('tr[data-email]').all()) {
      expect((await one.boundingBox())?.height).to.be.below(48);
    }
    await console.expectAccessible();
    await row('sus@example.com').getByRole('link').click();
    await page.waitForURL(/\/accounts\?q=sus%40example\.com/);
  });

  it('reads the list again only a few times while thousands are suspended', async () => {
    const { page, app } = console;
    const change = { version: 2, actor: 'rosa@example.com', actorId: 1, requestId: 'r', undoes: null };
    const entry = { ...change, at: new Date().toISOString(), erasedAt: null, reason: null };
    const told = (id: number, values: object) =>
      `event: change\ndata: ${JSON.stringify({ ...entry, id, userId: id, ...values })}\n\n`;
    const suspensions = Array.from({ length: 1_000 }, (_, place) =>
      told(1_000_000 + place, {
        action: 'updated',
        before: { status: 'active' },
        after: { status: 'suspended' },
      }),
    );
    const creation = told(2_000_000, {
      action: 'created',
      before: null,
      after: { email: 'otto@example.com' },
    });
    await page.route('**/v1/changes*', async (route) => {
      // What comes before the list is there is no reason to read it again at once.
      await row('otto@example.com').waitFor();
      await route.fulfill({
        contentType: 'text/event-stream',
        body: `retry: 60000\n\n${suspensions.join('')}${creation}`,
      });
    });
    await console.open('/turned-away');
    await row('otto@example.com').getByText('Invited').waitFor();
    const reads = console.watched.requests.filter((url) => url.startsWith(`${app.url}/v1/access/refused`));
    expect(reads.length).to.be.below(50);
  });

  it('invites somebody with one click, keeps the focus, and takes it back', async () => {
    const { page } = console;
    await console.open('/turned-away');
    const invite = row('otto@example.com').getByRole('button', { name: 'Invite' });
    await invite.focus();
    await page.keyboard.press('Enter');
    await row('otto@example.com').getByText('Invited').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).to.include('Open account');
    await page.getByRole('status').getByText('otto@example.com has an account now.').waitFor();
    await console.expectAccessible();
    const answer = await console.app.call('/v1/me', { as: 'otto@example.com' });
    expect(answer.status).to.equal(200);
    await page.getByRole('button', { name: 'Undo' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('del').filter({ hasText: 'otto@example.com' }).waitFor();
    await dialog.getByRole('button', { name: 'Undo' }).click();
    await invite.waitFor();
    await knock('otto@example.com');
  });

  it('shows that another admin has invited somebody meanwhile', async () => {
    const { page, app } = console;
    await knock('nina@elsewhere.example');
    await page.getByRole('button', { name: 'Look again' }).click();
    await row('nina@elsewhere.example').waitFor();
    const other = await console.openAnother();
    await other.goto(`${app.url}/console/turned-away`);
    await other
      .locator('tr[data-email="nina@elsewhere.example"]')
      .getByRole('button', { name: 'Invite' })
      .click();
    await row('nina@elsewhere.example').getByText('Invited').waitFor();
    await other.close();
  });

  it('shows the setting that lets a whole domain in', async () => {
    const { page } = console;
    await row('otto@example.com').getByRole('button', { name: 'Allow domain' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('ACCESS_DOMAINS=inside.example,example.com').waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).to.include('Allow domain');
  });

  it('fits a phone, with an email as long as they come', async () => {
    const { page } = console;
    await knock(`${'long'.repeat(16)}@${'department.'.repeat(15)}example.org`);
    await page.setViewportSize({ width: 360, height: 740 });
    await console.open('/turned-away');
    await page.locator('tr[data-email^="longlong"]').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
  });
});
