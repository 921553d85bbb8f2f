import { expect } from 'chai';
import type { Route } from 'playwright-core';
import { ADA, expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the first paint of the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;

  before(async () => {
    console = await openConsole();
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  const rows = () => console.page.locator('tbody tr[data-id]');
  const role = () => console.page.evaluate<string | null>("localStorage.getItem('rollcall-role')");

  /** Keeps requests back, until they are let go. */
  const hold = async (pattern: string) => {
    const held: Route[] = [];
    const { page } = console;
    await page.route(pattern, (route) => void held.push(route));
    return {
      held,
      async letGo() {
        await page.unroute(pattern);
        await Promise.all(held.map((route) => route.continue()));
      },
    };
  };

  it('waits for the service to say who is signed in where this browser has seen nobody', async () => {
    const { page, app } = console;
    const session = await hold('**/v1/session');
    await page.goto(`${app.url}/console/accounts`);
    await page.locator('.alone .brand').filter({ hasText: 'Rollcall' }).waitFor();
    expect(await page.getByRole('navigation').count()).to.equal(0);
    await session.letGo();
    await rows().first().waitFor();
    expect(await role()).to.equal('admin');
  });

  it('shows the frame, the view and its data at once where it has, and who that is once that is known', async () => {
    const { page, app } = console;
    const session = await hold('**/v1/session');
    await page.goto(`${app.url}/console/accounts`);
    await rows().first().waitFor();
    expect(session.held).to.have.length(1);
    const aside = page.locator('.side > .me');
    expect(await aside.innerText()).to.not.include(ADA);
    const before = await aside.boundingBox();
    await session.letGo();
    await aside.getByText(ADA).waitFor();
    expect(await aside.boundingBox()).to.deep.equal(before);
  });

  it('has the frame and the theme before the script is there', async () => {
    const { page, app } = console;
    await page.evaluate("localStorage.setItem('rollcall-theme', 'dark')");
    const script = await hold('**/console/files/chunk-*');
    await page.goto(`${app.url}/console/activity`, { waitUntil: 'commit' });
    await page.locator('.side .brand').filter({ hasText: 'Rollcall' }).waitFor();
    expect(await page.evaluate('document.documentElement.dataset.theme')).to.equal('dark');
    const before = await page.locator('.side').boundingBox();
    await script.letGo();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    expect(await page.locator('.side').boundingBox()).to.deep.equal(before);
    await page.evaluate("localStorage.removeItem('rollcall-theme')");
  });

  it('paints the frame before the script draws the view', async () => {
    const page = await console.openAnother();
    await page.addInitScript("localStorage.setItem('rollcall-role', 'admin')");
    // A browser that has not painted yet, and does so when it is told to.
    await page.addInitScript(
      'frames = []; requestAnimationFrame = (draw) => frames.push(draw); performance.getEntriesByType = () => []',
    );
    await page.goto(`${console.app.url}/console/accounts`);
    await until('the script', () => page.evaluate('frames.length > 1'));
    expect(await page.locator('.side .brand').isVisible()).to.equal(true);
    expect(await page.getByRole('navigation').count()).to.equal(0);
    await page.evaluate('for (const draw of frames.splice(0)) draw()');
    await page.getByRole('navigation').waitFor();
    await page.context().close();
  });

  it('shows its name, and asks who is signed in and for the list, before the script is there', async () => {
    const { page, app, watched } = console;
    const address = '/console/accounts?sort=email&role=admin';
    for (const known of [null, 'admin']) {
      // The page before might still ask for something, and remember who is signed in.
      await page.goto(`${app.url}/healthz`);
      await page.evaluate(
        known === null ? 'localStorage.clear()' : `localStorage.setItem('rollcall-role', '${known}')`,
      );
      const script = await hold('**/console/files/chunk-*');
      const before = watched.requests.length;
      const asked = () =>
        watched.requests
          .slice(before)
          .filter((url) => url.includes('/v1/') && !/total=|changes/.test(url))
          .map((url) => url.slice(app.url.length));
      await page.goto(app.url + address, { waitUntil: 'commit' });
      await page.locator('.brand:visible').filter({ hasText: 'Rollcall' }).waitFor();
      expect(await page.locator('.brand:visible').count()).to.equal(1);
      const early = ['/v1/session', '/v1/users?role=admin&sort=email&limit=100'];
      await until('the early requests', () => asked().length === 2);
      expect(asked()).to.deep.equal(early);
      expect(script.held).to.not.be.empty;
      await script.letGo();
      await rows().first().waitFor();
      // The script has taken the answers.
      expect(asked()).to.deep.equal(early);
      // From then on, an answer is as new as its request.
      await page.getByLabel('Role').selectOption('');
      await page.getByLabel('Role').selectOption('admin');
      await until('another request', () => asked().filter((path) => path === early[1]).length === 2);
    }
  });

  it('asks for the script of a view together with the page, and for that of another before it is opened', async () => {
    const { page, app, watched } = console;
    const script = await hold('**/console/files/chunk-*');
    const asked = () =>
      watched.requests.filter((url) => /\/(activity|turned-away)-[A-Z0-9]{8}\.js$/.test(url));
    const known = asked().length;
    await page.goto(`${app.url}/console/activity`, { waitUntil: 'commit' });
    await page.locator('.side .brand').waitFor();
    // The page’s own script has not run yet.
    expect(script.held).to.not.be.empty;
    expect(asked().slice(known).join()).to.include('/activity-');
    await script.letGo();
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    const code = page.waitForRequest(/\/turned-away-[A-Z0-9]{8}\.js$/);
    await page.getByRole('link', { name: 'Turned away' }).focus();
    await code;
  });

  it('forgets at the sign-out, and asks for nobody’s data then', async () => {
    const { page, app, watched } = console;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
    expect(await role()).to.equal(null);
    const data = () => watched.requests.filter((url) => /\/v1\/(users|history|changes)/.test(url)).length;
    const before = data();
    await page.goto(`${app.url}/console/accounts`);
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
    expect(data()).to.equal(before);
  });
});
