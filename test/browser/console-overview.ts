import { expect } from 'chai';
import { ADA, expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the overview in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  before(async () => {
    console = await openConsole({
      webhooks: [
        {
          name: '<img src=x onerror=alert(1)>',
          url: 'http://127.0.0.1:1/',
          secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`],
          actions: null,
          fields: null,
        },
      ],
    });
  });

  after(() => console?.close());

  const provoke = expectNoComplaints(() => console);

  const tile = (name: string) => console.page.getByTestId(name);
  const chart = (name: string) => console.page.locator('figure').filter({ hasText: name });

  it('is where the console begins, with nothing but one admin', async () => {
    const { page } = console;
    await console.open('');
    await tile('accounts').filter({ hasText: '1' }).waitFor();
    await chart('New accounts').getByText('None in this time').waitFor();
    await page.getByText('All are applied.').waitFor();
    await console.expectAccessible();
  });

  it('counts what happens, as it happens', async () => {
    const { app } = console;
    const answer = await app.call('/v1/users', {
      as: ADA,
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ email: 'grace@example.com' }),
    });
    expect(answer.status).to.equal(201);
    await tile('accounts').filter({ hasText: '2' }).waitFor();
    await chart('New accounts').getByText('1 in all').waitFor();
    await chart('Changes').getByText('Highest: 1').waitFor();
    expect((await app.call('/v1/me', { as: 'otto@example.com' })).status).to.equal(403);
    await console.page.reload();
    await tile('refused').filter({ hasText: '1' }).waitFor();
    await console.expectAccessible();
  });

  it('says each number under the pointer, by the keyboard, and in a table', async () => {
    const { page } = console;
    const bars = chart('New accounts').getByRole('slider');
    await bars.hover({ position: { x: 4, y: 40 } });
    await chart('New accounts')
      .locator('strong')
      .filter({ hasText: /: 0 created$/ })
      .waitFor();
    await page.mouse.move(0, 0);
    await bars.focus();
    await page.keyboard.press('ArrowLeft');
    expect(await bars.getAttribute('aria-valuetext')).to.match(/: 0 created$/);
    await page.keyboard.press('End');
    expect(await bars.getAttribute('aria-valuetext')).to.match(/: 1 created$/);
    await chart('New accounts')
      .locator('strong')
      .filter({ hasText: /: 1 created$/ })
      .waitFor();
    await console.expectAccessible();
    await chart('Changes').getByText('As a table').click();
    const rows = chart('Changes').getByRole('row');
    expect(await rows.count()).to.equal(31);
    await rows.nth(1).filter({ hasText: /1$/ }).waitFor();
    await console.expectAccessible();
    await rows.nth(1).getByRole('link').click();
    await page.waitForURL(/\/activity\?from=/);
    await page.locator('.entry').filter({ hasText: 'grace@example.com' }).waitFor();
    await page.goBack();
    await tile('suspended').click();
    await page.waitForURL(/\/accounts\?status=suspended/);
  });

  it('says which webhook fails, whatever its name, and which migration is missing', async () => {
    const { page, app } = console;
    await app.database.query(
      `update webhooks set parked_at = now(), attempts = 3, last_error = 'the answer was 410', failing_since = now(), failing_change_id = 1`,
    );
    await app.database.query(
      `update rollcall_migrations set name = 'gone' where name = (select max(name) from rollcall_migrations)`,
    );
    await console.open('/overview');
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByText('<img src=x onerror=alert(1)>').waitFor();
    await health.getByText('Parked: nothing is delivered until you resume it. the answer was 410').waitFor();
    await health.getByText('The database lacks').waitFor({ timeout: 15_000 });
    await console.expectAccessible();
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('says what could not be loaded, and loads it again', async () => {
    const { page } = console;
    provoke(/status of 500/);
    const problem = {
      status: 500,
      title: 'Internal Server Error',
      detail: 'Something went wrong on our side.',
      code: 'internal',
      requestId: 'request-of-the-test',
    };
    await page.route('**/v1/statistics/**', (route) =>
      route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify(problem) }),
    );
    await page.reload();
    await page.getByText('Request request-of-the-test').waitFor();
    await console.expectAccessible();
    await page.unroute('**/v1/statistics/**');
    await page.getByRole('button', { name: 'Try again' }).click();
    await tile('accounts').filter({ hasText: '2' }).waitFor();
  });
});
