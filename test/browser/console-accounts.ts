import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the list of accounts in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' });
    await addAccount(console.app.database, 'x@example.com', { name: '<img src=x onerror=alert(1)>' });
  });

  after(() => console?.close());

  afterEach('the policy refused nothing, and nothing came from elsewhere', () => {
    const { watched, app } = console;
    expect(watched.complaints).to.deep.equal([]);
    expect(watched.requests.filter((url) => !url.startsWith(app.url))).to.deep.equal([]);
  });

  const rows = () => console.page.locator('tbody tr[data-id]');

  it('shows everybody, newest first, with a total, and is accessible', async () => {
    await console.open('/accounts');
    await rows().nth(2).waitFor();
    expect(await rows().allInnerTexts()).to.have.length(3);
    expect(await rows().first().innerText()).to.include('<img src=x onerror=alert(1)>');
    await console.page.getByTestId('total').filter({ hasText: '3' }).waitFor();
    await console.expectAccessible();
  });

  it('searches as one types, keeps that in the address, and says when nobody matches', async () => {
    const { page } = console;
    const search = page.getByRole('searchbox');
    await search.fill('hopper');
    await rows().filter({ hasText: 'Ada' }).waitFor({ state: 'detached' });
    expect(await rows().allInnerTexts()).to.have.length(1);
    expect(new URL(page.url()).searchParams.get('q')).to.equal('hopper');
    await page.reload();
    await rows().filter({ hasText: 'Grace Hopper' }).waitFor();
    await search.fill('nobody at all');
    await page.getByText('No account matches').waitFor();
    await console.expectAccessible();
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await rows().nth(2).waitFor();
  });

  it('shows the change of somebody else as it happens', async () => {
    await console.open('/accounts');
    await rows().nth(2).waitFor();
    const { app } = console;
    const [{ id } = { id: 0 }] = await app.database.query<{ id: number }>(
      "select id from users where email = 'grace@example.com'",
    );
    const row = console.page.locator(`tbody tr[data-id="${id}"]`);
    const before = await row.innerText();
    expect(before).to.include('Active');
    for (let attempt = 0; !(await row.innerText()).includes('Suspended'); attempt++) {
      // The stream may open only after the first change.
      const status = attempt % 2 === 0 ? 'suspended' : 'active';
      await app.call(`/v1/users/${id}`, {
        as: 'ada@example.com',
        method: 'PATCH',
        headers: { 'Content-Type': 'application/merge-patch+json' },
        body: JSON.stringify({ status }),
      });
      await console.page.waitForTimeout(500);
      expect(attempt).to.be.lessThan(20);
    }
  });
});
