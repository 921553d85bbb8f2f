import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { ADA, expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';

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

  expectNoComplaints(() => console);

  const rows = () => console.page.locator('tbody tr[data-id]');

  it('shows everybody, newest first, with a total, and is accessible', async () => {
    await console.open('/accounts');
    await rows().nth(2).waitFor();
    expect(await rows().allInnerTexts()).to.have.length(3);
    expect(await rows().first().innerText()).to.include('<img src=x onerror=alert(1)>');
    await console.page.getByTestId('total').filter({ hasText: '3' }).waitFor();
    await console.expectAccessible();
    // The text of a badge is on the line of its row, whatever its icon.
    const middles = await rows()
      .first()
      .locator('.narrow')
      .evaluateAll((cells) =>
        cells.map((cell) => {
          const { document } = globalThis as unknown as {
            document: {
              createRange(): {
                selectNodeContents(of: unknown): void;
                getBoundingClientRect(): { top: number; bottom: number };
              };
            };
          };
          const range = document.createRange();
          range.selectNodeContents(
            (cell.querySelector('.badge') ?? cell.firstElementChild ?? cell).lastChild,
          );
          const { top, bottom } = range.getBoundingClientRect();
          return (top + bottom) / 2;
        }),
      );
    expect(Math.max(...middles) - Math.min(...middles)).to.be.at.most(1);
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
      await console.patch(`/v1/users/${id}`, { status });
      await console.page.waitForTimeout(500);
      expect(attempt).to.be.lessThan(20);
    }
  });

  it('is used by the keyboard alone: to an account, to a search, to a new account, to the help', async () => {
    const { page } = console;
    await console.open('/accounts');
    await rows().nth(2).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('x');
    expect(await rows().first().getByRole('checkbox').isChecked()).to.equal(true);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await page.keyboard.press('n');
    const dialog = page.getByRole('dialog', { name: 'New account' });
    await dialog.waitFor();
    await console.expectAccessible();
    await page.keyboard.type('Katherine@Example.com');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Katherine Johnson');
    await page.keyboard.press('Enter');
    await rows().filter({ hasText: 'Katherine Johnson' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('katherine');
    const option = page.getByRole('option', { name: 'Katherine Johnson' });
    await option.waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/console\/accounts\/\d+$/);
  });

  it('says at the field why an account cannot be created, and keeps what was typed', async () => {
    const { page } = console;
    await console.open('/accounts');
    await page.getByRole('button', { name: 'New account' }).click();
    const dialog = page.getByRole('dialog', { name: 'New account' });
    await dialog.getByLabel('Email').fill('grace@example.com');
    await dialog.getByRole('button', { name: 'Create account' }).click();
    await dialog.getByText('An account with this email already exists.').waitFor();
    expect(await dialog.getByLabel('Email').inputValue()).to.equal('grace@example.com');
    // Chromium reports every refusal.
    expect(console.watched.takeComplaints()).to.deep.equal([
      'Failed to load resource: the server responded with a status of 409 (Conflict)',
    ]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  });

  it('takes an account for created whose answer got lost, once it is tried again', async () => {
    const { page } = console;
    await page.getByRole('button', { name: 'New account' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Email').fill('lost@example.com');
    await page.route('**/v1/users', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await dialog.getByRole('button', { name: 'Create account' }).click();
    await dialog.getByText('The service does not answer').waitFor();
    await page.unroute('**/v1/users');
    await dialog.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('lost@example.com has an account now').waitFor();
    console.watched.takeComplaints();
  });

  it('closes a dialog that the browser has closed by itself, gives the focus back, and opens it again', async () => {
    const { page } = console;
    await console.open('/accounts');
    const create = page.getByRole('button', { name: 'New account' });
    for (let time = 0; time < 2; time++) {
      await create.click();
      await page.getByRole('dialog').waitFor();
      await page.locator('dialog').evaluate((dialog) => (dialog as unknown as { close(): void }).close());
      await page.locator('dialog').waitFor({ state: 'detached' });
      expect(await create.evaluate((button) => button.matches(':focus'))).to.equal(true);
    }
  });

  it('suspends the selected accounts after a preview, and takes all of it back', async () => {
    const { page } = console;
    await console.open('/accounts?q=example.com&role=user');
    await rows().nth(2).waitFor();
    const count = await rows().count();
    await page.getByLabel('Select all that are loaded').check();
    const bar = page.getByRole('region', { name: 'Selected accounts' });
    await bar.getByText(`${count} selected`).waitFor();
    await bar.getByRole('button', { name: 'Suspend' }).click();
    const dialog = page.getByRole('dialog');
    // Those that are suspended already are not among them.
    const changed = Number.parseInt(await dialog.getByText(/^\d+ accounts will change/).innerText(), 10);
    expect(changed).to.be.within(2, count);
    await console.expectAccessible();
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    await rows()
      .filter({ hasText: 'Suspended' })
      .nth(count - 1)
      .waitFor();
    await page.getByRole('button', { name: 'Undo all' }).click();
    await dialog.getByRole('button', { name: /^Undo \d+ changes?$/ }).click();
    await rows().filter({ hasText: 'Active' }).first().waitFor();
    await page.getByText(/^\d+ changes? undone\.$/).waitFor();
  });

  it('suspends thousands in steps, goes on after an interruption, and takes all of it back at once', async () => {
    const { page, app } = console;
    await app.database.query(
      "insert into users (email, name) select 'bulk' || n || '@example.com', 'Bulk ' || n from generate_series(1, 2300) as n",
    );
    const suspended = async () => {
      const [row] = await app.database.query<{ count: number; requests: number }>(
        `select (select count(*)::int from users where email like 'bulk%' and status = 'suspended') as count,
                (select count(distinct request_id)::int from changes join users on users.id = user_id
                  where email like 'bulk%' and changes.after ->> 'status' = 'suspended') as requests`,
      );
      return row;
    };
    await console.open('/accounts?q=bulk');
    await rows().nth(2).waitFor();
    await page.getByLabel('Select all that are loaded').check();
    const bar = page.getByRole('region', { name: 'Selected accounts' });
    await bar.getByRole('button', { name: 'Select all 2,300' }).click();
    await bar.getByText('2,300 selected').waitFor();
    await bar.getByRole('button', { name: 'Suspend' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('2,300 accounts will change').waitFor();
    let steps = 0;
    await page.route('**/v1/users/bulk', async (route) => {
      steps++;
      // The answer to the second step is lost.
      if (steps === 2) await route.fetch();
      await (steps === 2 ? route.abort() : route.continue());
    });
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    await dialog.getByText('The service does not answer').waitFor();
    await dialog.getByText('1,000 of 2,300').waitFor();
    await dialog.getByText('Going on changes nothing twice').waitFor();
    await console.expectAccessible();
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('2,300 accounts changed').waitFor();
    await page.unroute('**/v1/users/bulk');
    expect(steps).to.equal(4);
    expect(await suspended()).to.deep.equal({ count: 2_300, requests: 1 });
    await page.getByRole('button', { name: 'Undo all' }).click();
    await dialog.getByRole('button', { name: 'Undo 2,300 changes' }).click();
    await page.getByText('2,300 changes undone.').waitFor();
    expect(await suspended()).to.include({ count: 0 });
    console.watched.takeComplaints();
  });

  it('says before it happens that the last admin cannot be demoted', async () => {
    const { page } = console;
    await console.open('/accounts?role=admin');
    await rows().first().waitFor();
    await page.getByLabel('Select all that are loaded').check();
    await page.getByRole('button', { name: 'Make user' }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    expect(console.watched.takeComplaints()).to.deep.equal([
      'Failed to load resource: the server responded with a status of 409 (Conflict)',
    ]);
    await page.keyboard.press('Escape');
  });

  it('scrolls through ten thousand accounts, and draws only those that can be seen', async () => {
    const { page, app } = console;
    await app.database.query(
      "insert into users (email, name) select 'many' || n || '@example.com', 'Many ' || n from generate_series(1, 10000) as n",
    );
    await console.open('/accounts?q=many');
    await rows().first().waitFor();
    const last = page.locator('tbody tr[data-id]').last();
    for (let steps = 0; ; steps++) {
      expect(steps).to.be.lessThan(500);
      await page.mouse.wheel(0, 20_000);
      expect(await rows().count()).to.be.lessThan(90);
      if (/many1@/.test((await last.textContent()) ?? '')) break;
      await page.waitForTimeout(20);
    }
    expect(await page.locator('table').getAttribute('aria-rowcount')).to.equal('10001');
  });

  it('is as it was left, with what has changed since, for whoever comes back from an account', async () => {
    const { page, app } = console;
    await app.database.query(
      "insert into users (email, name) select 'few' || n || '@example.com', 'Few ' || n from generate_series(1, 400) as n",
    );
    await console.open('/accounts?q=few');
    const scrolled = () => page.evaluate<number>('scrollY');
    const scrollTo = async (rows: number) => {
      await until('more rows', async () => {
        await page.evaluate('scrollTo(0, document.body.scrollHeight)');
        return (await scrolled()) > rows * 52;
      });
    };
    for (const pages of [1, 2, 3]) await scrollTo(pages * 90 - 30);
    await page.evaluate('scrollTo(0, 9000)');
    // The rows of this place are drawn a moment later; what is read before then may go.
    const middle = `document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('tr')?.dataset.id`;
    const id = await until('a row of this place', () => page.evaluate<string | undefined>(middle));
    const that = page.locator(`tbody tr[data-id="${id}"]`);
    await that.getByRole('checkbox').check();
    const leave = async () => {
      await that.getByRole('link').click();
      await page.getByRole('heading', { name: 'Timeline' }).waitFor();
      expect(await scrolled()).to.equal(0);
    };
    const expectAsLeft = async () => {
      await until('the place', async () => (await scrolled()) === 9000);
      const focused = () => page.evaluate(`document.activeElement.closest('[data-id]')?.dataset.id`);
      await until('the focus', async () => (await focused()) === id);
      expect(new URL(page.url()).search).to.equal('?q=few');
      expect(await page.locator('.bulk').innerText()).to.include('1 selected');
    };
    await leave();
    await console.patch(`/v1/users/${id}`, { name: 'Few and new' });
    await page.getByRole('heading', { level: 1, name: 'Few and new' }).waitFor();
    await page.goBack();
    await that.filter({ hasText: 'Few and new' }).waitFor();
    await expectAsLeft();
    await leave();
    await page.locator('a.back').click();
    await that.filter({ hasText: 'Few and new' }).waitFor();
    await expectAsLeft();
    // Elsewhere than by a way back, it begins anew.
    await page.getByRole('link', { name: 'Activity' }).click();
    await page.getByRole('heading', { level: 1, name: 'Activity' }).waitFor();
    await page.getByRole('link', { name: 'Accounts', exact: true }).click();
    await rows().first().waitFor();
    expect(await scrolled()).to.equal(0);
    expect(await page.locator('.bulk').count()).to.equal(0);
  });

  it('shows who is new, and leaves out who is no longer meant, where nothing moves that is being read', async () => {
    const { page, app } = console;
    await addAccount(app.database, 'lena@new.example');
    await console.open('/accounts?domain=new.example&status=active');
    await rows().first().waitFor();
    const create = (email: string) =>
      app.call('/v1/users', {
        as: ADA,
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email }),
      });
    const created = await create('rosa@new.example');
    expect(created.status).to.equal(201);
    await rows().nth(1).waitFor();
    await page.getByTestId('total').filter({ hasText: '2' }).waitFor();
    const { id } = (await created.json()) as { id: number };
    await app.call(`/v1/users/${id}`, { as: ADA, method: 'DELETE' });
    await rows().nth(1).waitFor({ state: 'detached' });
    await page.getByTestId('total').filter({ hasText: '1' }).waitFor();
  });

  it('shows nobody of another search where a search fails', async () => {
    const { page } = console;
    await console.open('/accounts?q=hopper');
    await rows().filter({ hasText: 'Grace Hopper' }).waitFor();
    await page.route('**/v1/users?*', (route) => route.abort());
    await page.getByRole('searchbox').fill('ada');
    await page.getByText('This could not be loaded').waitFor();
    expect(await rows().count()).to.equal(0);
    await page.unroute('**/v1/users?*');
    // No browser says that a service can be reached again: the page finds out by itself.
    await rows().filter({ hasText: ADA }).waitFor();
    console.watched.takeComplaints();
  });
});
