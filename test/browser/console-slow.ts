import { expect } from 'chai';
import type { Page, Request, Route } from 'playwright-core';
import { addAccount } from '../support/accounts.ts';
import { ADA, openConsole, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

/** The layout shift of a page up to which its content stays where it is read (Core Web Vitals call 0.1 good). */
const MAX_SHIFT = 0.05;

/** A view: its address, what only its content has, and the request without which it shows a fault; empty: none. */
interface SlowView {
  readonly path: string | ((grace: number) => string);
  readonly shows: string;
  readonly needs: string;
}

const VIEWS: Readonly<Record<string, SlowView>> = {
  overview: { path: '/overview', shows: 'main .chart svg', needs: '/v1/statistics/days' },
  accounts: { path: '/accounts', shows: 'tbody tr[data-id]', needs: '/v1/users' },
  'an account': { path: (grace) => `/accounts/${grace}`, shows: '.timeline .event', needs: '/v1/users/*' },
  "an account's past": {
    path: (grace) => `/accounts/${grace}?at=${new Date().toISOString()}`,
    shows: '.past dl',
    needs: '/v1/users/*',
  },
  activity: { path: '/activity', shows: '.entry', needs: '/v1/history' },
  'turned away': { path: '/turned-away', shows: 'main tbody tr', needs: '/v1/access/refused' },
  import: { path: '/transfer', shows: 'input[type=file]', needs: '' },
  access: { path: '/access', shows: 'main .items > li', needs: '/v1/service-tokens' },
  'my account': { path: '/me', shows: '#my-name', needs: '/v1/me' },
};

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console on a slow network, and on none', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let page: Page;
  let grace: number;
  /** What happens to a request to the API; without it, nothing does. */
  let meet: ((route: Route, request: Request) => Promise<void>) | undefined;

  before(async () => {
    console = await openConsole({
      webhooks: [
        {
          name: 'crm',
          url: 'https://crm.example.com/7',
          secrets: [WEBHOOK_SECRET],
          actions: ['deleted'],
          fields: null,
        },
      ],
    });
    page = console.page;
    const { id } = await addAccount(console.app.database, 'grace@example.com', { name: 'Grace' });
    grace = id;
    for (const name of ['Grace H.', 'Grace Hopper']) await console.patch(`/v1/users/${grace}`, { name });
    await console.app.call('/v1/service-tokens', {
      method: 'POST',
      as: ADA,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'billing', scopes: ['users:read'] }),
    });
    for (let n = 0; n < 30; n++)
      await addAccount(console.app.database, `p${n}@example.com`, { name: `P ${n}` });
    for (const stranger of ['mallory@elsewhere.example', 'trent@partner.example'])
      await console.app.call('/v1/me', { as: stranger });
    await page
      .context()
      .route('**/v1/**', (route, request) =>
        meet && !request.url().includes('/v1/changes') ? meet(route, request) : route.continue(),
      );
  });

  after(() => console?.close());

  const open = async (path: SlowView['path']) => {
    await page.goto(`${console.app.url}/console${typeof path === 'string' ? path : path(grace)}`);
    await page.locator('main').waitFor();
  };
  /** What has jumped since the page began, and how far. */
  const shiftOf = () =>
    page.evaluate(`new Promise((resolve) => {
      new PerformanceObserver((list) => {
        const entries = list.getEntries().filter((entry) => !entry.hadRecentInput);
        resolve({
          sum: entries.reduce((sum, { value }) => sum + value, 0),
          of: entries.flatMap(({ value, sources }) => sources.map(({ node, previousRect: a, currentRect: b }) =>
            value.toFixed(3) + ' ' + (node?.nodeName ?? '') + '.' + (node?.className ?? '') + ' ' + (node?.textContent ?? '').slice(0, 40) + ' ' + [a.x, a.y, a.width, a.height].map(Math.round) + ' > ' + [b.x, b.y, b.width, b.height].map(Math.round))),
        });
      }).observe({ type: 'layout-shift', buffered: true });
      setTimeout(() => resolve({ sum: 0, of: [] }), 500);
    })`) as Promise<{ sum: number; of: string[] }>;

  for (const [name, { path, shows }] of Object.entries(VIEWS)) {
    for (const [device, viewport] of Object.entries({
      'a screen': { width: 1280, height: 800 },
      'a phone': { width: 360, height: 740 },
    })) {
      it(`shows ${name} on ${device} where its bones were`, async () => {
        await page.setViewportSize(viewport);
        let turn = 0;
        let waiting = 0;
        meet = async (route) => {
          waiting++;
          // One after the other, so that each box comes by itself.
          await new Promise((done) => setTimeout(done, 300 + 150 * turn++));
          await route.continue().catch(() => undefined);
          waiting--;
        };
        await open(path);
        await page.locator(shows).first().waitFor({ state: 'attached' });
        await until('all answers', () => waiting === 0);
        meet = undefined;
        const { sum, of } = await shiftOf();
        expect(sum, of.join('\n')).to.be.below(MAX_SHIFT);
      });
    }
  }

  for (const [name, { path, shows, needs }] of Object.entries(VIEWS)) {
    if (needs === '') continue;
    it(`says of ${name} why it cannot be shown, by which request, and tries again`, async () => {
      await page.setViewportSize({ width: 1280, height: 800 });
      // The service itself refuses a parameter that it does not know.
      meet = async (route, request) => {
        const url = new URL(request.url());
        const isIt = new RegExp(`^${needs.replace('*', '\\d+')}$`).test(url.pathname);
        if (isIt) url.searchParams.set('colour', 'red');
        await route.continue({ url: url.href });
      };
      await open(path);
      const alert = page.getByRole('alert').filter({ hasText: 'The query is invalid.' });
      await alert.first().waitFor();
      const [id = ''] = /[\da-f]{8}-[\da-f-]{27}/.exec(await alert.first().innerText()) ?? [];
      expect(console.app.log.map(({ requestId }) => requestId)).to.include(id);
      await console.expectAccessible();
      meet = undefined;
      await alert.first().getByRole('button', { name: 'Try again' }).click();
      await page.locator(shows).first().waitFor({ state: 'attached' });
      await until('no fault is left', async () => (await alert.count()) === 0);
    });

    it(`shows ${name} once there is a network again`, async () => {
      // The page itself and who is signed in are there already.
      meet = (route, request) =>
        request.url().endsWith('/v1/session') ? route.continue() : route.abort('internetdisconnected');
      await open(path);
      await page.getByRole('alert').first().waitFor();
      await page.getByText('No connection.').waitFor();
      // Nothing is pushed out of the screen.
      const out = await page.locator('.side').getByRole('button', { name: 'Sign out' }).boundingBox();
      expect((out?.y ?? Number.NaN) + (out?.height ?? 0)).to.be.at.most(page.viewportSize()?.height ?? 0);
      await console.expectAccessible();
      await page.context().setOffline(true);
      meet = undefined;
      await page.context().setOffline(false);
      await page.locator(shows).first().waitFor({ state: 'attached' });
      await until(
        'nothing is said of it any more',
        async () => (await page.getByText('No connection.').count()) === 0,
      );
      await until('no fault is left', async () => (await page.getByRole('alert').count()) === 0);
    });
  }
});
