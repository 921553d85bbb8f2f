import { expect } from 'chai';
import { openConsole, type TestConsole } from '../support/console-page.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('a console that is left open, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
  });

  after(() => console?.close());

  it('says of what it asks for by itself that nobody uses it, until somebody does', async () => {
    const { page } = console;
    const asks = async (path: string) => {
      const request = await page.waitForRequest((request) => request.url().endsWith(path));
      return (await request.allHeaders())['rollcall-console'];
    };
    await page.clock.install();
    await console.open('/overview');
    await page.getByRole('heading', { name: 'Health' }).waitFor();
    const status = asks('/v1/status');
    await page.clock.runFor(31_000);
    expect(await status).to.equal('1');
    await page.clock.runFor(31_000);
    const later = asks('/v1/status');
    await page.clock.runFor(31_000);
    expect(await later).to.equal('unattended');
    await page.keyboard.press('Shift');
    const attended = asks('/v1/status');
    await page.clock.runFor(31_000);
    expect(await attended).to.equal('1');
  });

  it('keeps the session of somebody who types for long', async () => {
    const { page } = console;
    await page.clock.install();
    await console.open('/me');
    await page.getByLabel('Name', { exact: true }).waitFor();
    await page.clock.runFor(6 * 60_000);
    const asked = page.waitForRequest((request) => request.url().endsWith('/v1/me'));
    await page.getByLabel('Name', { exact: true }).press('x');
    expect((await (await asked).allHeaders())['rollcall-console']).to.equal('1');
  });

  it('goes on counting how long ago things were', async () => {
    const { page } = console;
    await page.clock.install();
    await console.open('/me');
    const used = page
      .locator('time')
      .filter({ hasText: /now|ago/ })
      .first();
    const before = await used.innerText();
    await page.clock.runFor(30 * 60_000);
    await page
      .locator('time')
      .filter({ hasText: /[3-5]\d min\. ago/ })
      .first()
      .waitFor();
    expect(await used.innerText()).not.to.equal(before);
  });

  it('asks ever less often where one answer alone never arrives, and never while nobody sees the page', async () => {
    const { page } = console;
    await page.clock.install();
    // Without live changes, nothing else asks for the history.
    await page.route(/\/v1\/(history|changes)/, (route) => route.abort());
    await console.open('/activity');
    const offline = page.getByText('No connection.');
    await offline.waitFor();
    await page.evaluate(`
      looks = [];
      send = fetch;
      fetch = (...request) => {
        if (request[0].endsWith('/v1/me')) looks.push(Date.now());
        return send(...request);
      }`);
    const looks = () => page.evaluate<number[]>('looks');
    const askAgain = async (act: () => Promise<unknown>) => {
      const failed = page.waitForEvent('requestfailed', (request) => request.url().includes('/v1/history'));
      await act();
      await failed;
      await offline.waitFor();
    };
    await askAgain(() => page.clock.runFor(3_000));
    await askAgain(() => page.clock.runFor(6_000));
    const [first = 0, second = 0] = await looks();
    expect(second - first).to.be.at.least(6_000);
    const hide = (hidden: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
        document.dispatchEvent(new Event('visibilitychange'))`);
    await hide(true);
    await page.clock.runFor(60_000);
    expect(await looks()).to.have.length(2);
    await askAgain(() => hide(false));
    expect(await looks()).to.have.length(3);
  });
});
