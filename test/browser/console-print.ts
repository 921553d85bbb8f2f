import { expect } from 'chai';
import { expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console on paper, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
    await console.app.database.query(
      "insert into users (email, name) select 'many' || n || '@example.com', 'Many ' || n from generate_series(1, 150) as n",
    );
    for (const name of ['Countess', 'Ada Lovelace']) await console.patch('/v1/me', { name });
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  /** What the browser makes of properties of an element. */
  const styles = (selector: string, ...properties: readonly string[]) =>
    console.page.evaluate<string[]>(
      `(({ color, backgroundColor, textDecorationLine }, names) => names.map((name) => ({ color, backgroundColor, textDecorationLine })[name]))(getComputedStyle(document.querySelector('${selector}')), ${JSON.stringify(properties)})`,
    );

  it('has what there is to read alone, black on white from the dark theme too', async () => {
    const { page } = console;
    await console.open('/accounts');
    await page.evaluate("localStorage.setItem('rollcall-theme', 'dark')");
    for (const [path, content] of [
      ['/accounts', 'tbody tr[data-id]'],
      ['/accounts/1', '.timeline .diff'],
      ['/activity', '.entry .diff'],
      ['/overview', '.chart svg'],
      ['/turned-away', '.policy p'],
      ['/access', 'main section li'],
      ['/me', 'main .diff'],
    ] as const) {
      await console.open(path);
      await page.locator(content).first().waitFor();
      await page.emulateMedia({ media: 'print' });
      expect(await page.locator(content).first().isVisible(), path).to.equal(true);
      const others = page.locator(
        'nav:visible, .button:visible, [type=checkbox]:visible, [type=range]:visible',
      );
      expect(await others.count(), path).to.equal(0);
      expect(await styles('body', 'color', 'backgroundColor'), path).to.deep.equal([
        'rgb(0, 0, 0)',
        'rgb(255, 255, 255)',
      ]);
      await page.emulateMedia({ media: null });
    }
    await console.open('/accounts');
    await page.locator('tbody a').first().waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await styles('tbody a', 'color', 'textDecorationLine')).to.deep.equal([
      'rgb(0, 0, 0)',
      'underline',
    ]);
    await page.emulateMedia({ media: null });
    await page.evaluate("localStorage.removeItem('rollcall-theme')");
  });

  it('has dates in place of how long ago something was, and the whole ids of requests', async () => {
    const { app, page } = console;
    await app.database.query(
      `update sightings set since = '2020-01-01', last_seen_at = now() - interval '3 hours' where user_id = 1`,
    );
    await console.open('/accounts?q=ada@example.com');
    const seen = page.locator('tbody tr[data-id] time').first();
    await seen.waitFor();
    expect(await seen.innerText()).to.match(/ago$/);
    await page.emulateMedia({ media: 'print' });
    expect(await seen.innerText()).to.match(/^\w+ \d+, \d{4}$/);
    await console.open('/accounts/1');
    const entry = page.locator('.timeline .event').first();
    await entry.waitFor();
    expect(await entry.locator('time').innerText()).to.match(/^\w+ \d+, \d{4}, .*M$/);
    expect((await entry.locator('.request').boundingBox())?.width).to.be.above(200);
    // A sheet is narrower than a screen, and has the table all the same.
    expect((await app.call('/v1/me', { as: 'mallory@elsewhere.example' })).status).to.equal(403);
    const viewport = page.viewportSize();
    await page.setViewportSize({ width: 794, height: 1123 });
    await console.open('/turned-away');
    await page.getByRole('columnheader', { name: 'Attempts' }).waitFor();
    const row = page.locator('tr[data-email]').first();
    expect((await row.boundingBox())?.height).to.be.below(48);
    expect(await row.locator('time').innerText()).to.match(/, \d{4}, /);
    if (viewport) await page.setViewportSize(viewport);
    await page.emulateMedia({ media: null });
  });

  it('has all accounts of the list that are loaded, not only those on the screen, and says how many', async () => {
    const { page } = console;
    await console.open('/accounts');
    await page.locator('tbody tr[data-id]').first().waitFor();
    const said = page.getByText('The first 100. The export has all of them.');
    expect(await said.isVisible()).to.equal(false);
    const paper = (await page.pdf({ format: 'A4' })).toString('latin1');
    expect(paper.match(/\/Type\s*\/Page\b/g)).to.have.length.within(4, 6);
    await page.emulateMedia({ media: 'print' });
    expect(await said.isVisible()).to.equal(true);
    await page.emulateMedia({ media: null });
    // Afterwards, it draws what can be seen.
    expect(await page.locator('tbody tr[data-id]').count()).to.be.below(60);
  });
});
