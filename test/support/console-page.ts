import { AxeBuilder } from '@axe-core/playwright';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from './accounts.ts';
import { afterEachTest } from './after-test.ts';
import { SECRET, startApp, type TestApp } from './app.ts';
import { openPage, type WatchedPage } from './browser.ts';

/** The admin that is signed in to the console. */
export const ADA = 'ada@example.com';

/** What the tests of the console use of a service. */
export type ConsoleApp = Pick<TestApp, 'url' | 'database' | 'call' | 'close'>;

/** The console of a service, in a real browser with an admin's session. */
export interface TestConsole<App extends ConsoleApp = TestApp> {
  readonly app: App;
  /** Its routes end with each test; those of its context last. */
  readonly page: Page;
  readonly watched: WatchedPage;
  /** Opens a view: `/accounts`. */
  open(path: string): Promise<void>;
  /** Signs the browser in, with a session of its own. */
  signIn(email?: string): Promise<void>;
  /** Signs in again where the page says that its session has ended, as in another tab, and comes back to the page. */
  signInAgain(page?: Page, email?: string): Promise<void>;
  /** Changes something as {@link ADA} does elsewhere, past the browser. Asserts that it is done. */
  patch(path: string, values: object): Promise<Response>;
  /** Opens a page in a browser of somebody else's own. */
  openAnother(email?: string): Promise<Page>;
  /** Asserts that axe finds nothing wrong with the page, in both themes. */
  expectAccessible(): Promise<void>;
  close(): Promise<void>;
}

/** What Chromium itself says about an answer that is no success. */
export const REFUSED = /^Failed to load resource: the server responded with a status of 4/;

/** The same about a request without an answer. */
export const CUT_OFF = /^Failed to load resource: net::ERR_/;

/**
 * After each test of a suite, asserts that its page has complained of nothing but what is `known`, such as a violation of its policy, and
 * that nothing came from elsewhere. Returns how a test says what it provokes beside that.
 */
export function expectNoComplaints(
  pageOf: () => { readonly watched: WatchedPage; readonly app: ConsoleApp },
  ...known: readonly RegExp[]
): (complaint: RegExp) => void {
  const provoked: RegExp[] = [];
  afterEach('the policy refused nothing, and nothing came from elsewhere', () => {
    const { watched, app } = pageOf();
    const expected = [...known, ...provoked.splice(0)];
    const complaints = watched.takeComplaints();
    expect(complaints.filter((text) => !expected.some((one) => one.test(text)))).to.deep.equal([]);
    expect(watched.requests).to.not.be.empty;
    const isOwn = (url: string) => url.startsWith(app.url) || url.startsWith('blob:');
    expect(watched.requests.filter((url) => !isOwn(url))).to.deep.equal([]);
  });
  return (complaint) => provoked.push(complaint);
}

/** Starts a service with one admin, {@link ADA}, and opens a browser that is signed in as her. */
export async function openConsole(options: Parameters<typeof startApp>[0] = {}): Promise<TestConsole> {
  return openConsoleOf(await startApp(options));
}

/** The same of a service that runs already, whose database has no accounts. */
export async function openConsoleOf<App extends ConsoleApp>(app: App): Promise<TestConsole<App>> {
  await addAccount(app.database, ADA, { role: 'admin', name: 'Ada Lovelace' });
  const watched = await openPage();
  const { page } = watched;
  const keepIntercepting = (of: Pick<Page, 'route'>) => of.route('**/never', (route) => route.abort());
  // Chromium takes a moment to intercept requests, and tells nobody when it does: tests find it on from the beginning.
  await keepIntercepting(page.context());
  // Without any route, the page would let go what a test holds back.
  await keepIntercepting(page);
  const leave = afterEachTest(async () => {
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await keepIntercepting(page);
  });
  const signIn = async (page: Page, email: string) => {
    const headers = {
      Authorization: `Bearer ${await signHs256(SECRET, email, '1h')}`,
      'User-Agent': await page.evaluate<string>('navigator.userAgent'),
    };
    const answer = await fetch(`${app.url}/v1/session`, { method: 'POST', headers });
    expect(answer.status, await answer.text()).to.equal(201);
    const [, name = '', value = ''] = /^([^=]+)=([^;]+)/.exec(answer.headers.getSetCookie()[0] ?? '') ?? [];
    await page.context().addCookies([{ name, value, url: app.url, httpOnly: true, sameSite: 'Strict' }]);
  };
  const console: TestConsole<App> = {
    app,
    page,
    watched,
    async open(path) {
      await page.goto(`${app.url}/console${path}`);
      await page.locator('main.view').waitFor();
    },
    signIn: (email = ADA) => signIn(page, email),
    async signInAgain(of = page, email = ADA) {
      const dialog = of.getByRole('dialog').filter({ hasText: 'Your session has ended' });
      await dialog.waitFor();
      await signIn(of, email);
      await of.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      await dialog.waitFor({ state: 'detached' });
    },
    async patch(path, values) {
      const answer = await app.call(path, {
        as: ADA,
        method: 'PATCH',
        headers: { 'Content-Type': 'application/merge-patch+json' },
        body: JSON.stringify(values),
      });
      expect(answer.status, await answer.clone().text()).to.equal(200);
      return answer;
    },
    async openAnother(email = ADA) {
      const context = await page.context().browser()?.newContext();
      const another = (await context?.newPage()) as Page;
      await signIn(another, email);
      return another;
    },
    async expectAccessible() {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        const { violations } = await new AxeBuilder({ page }).analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
        expect(found, colorScheme).to.deep.equal([]);
      }
    },
    async close() {
      leave();
      await watched.close();
      await app.close();
    },
  };
  await console.signIn();
  return console;
}
