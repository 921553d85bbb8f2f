import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { addAccount } from '../support/accounts.ts';
import { sources, startApp, type TestApp } from '../support/app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { codeFor } from '../support/console.ts';
import { CONSOLE_CLIENT, type PeopleProvider, startPeopleProvider } from '../support/sign-in-provider.ts';

const ADA = 'ada@example.com';

describe('signing in to the console in Chromium', function () {
  this.timeout(120_000);

  let app: TestApp;
  let provider: PeopleProvider;
  let browser: WatchedPage;

  // The provider at 127.0.0.1 and the console at localhost: two sites.
  const start = async (publicUrl?: string) => {
    provider = await startPeopleProvider();
    app = await startApp({
      sources: sources({ issuer: provider.issuer, audience: ['https://api.example.com'] }),
      consoleClient: CONSOLE_CLIENT,
      ...(publicUrl && { publicUrl, environment: 'production' }),
    });
    await addAccount(app.database, ADA, { role: 'admin' });
    browser = await openPage();
    return app.url.replace('127.0.0.1', 'localhost');
  };

  afterEach(async () => {
    await browser.close();
    await app.close();
    await provider.close();
  });

  /** Who is signed in, as the page asks. */
  const signedIn = (page: Page) =>
    page.evaluate(async () => {
      const response = await fetch('/v1/session');
      return ((await response.json()) as { account: { email: string } | null }).account?.email;
    });
  const cookies = async (page: Page) =>
    (await page.context().cookies()).map(({ name, httpOnly, secure, sameSite }) => ({
      name,
      httpOnly,
      secure,
      sameSite,
    }));

  it('comes back from the provider, another site, with a session that no other site can send', async () => {
    const at = await start();
    provider.register(`${at}/v1/session/oidc/callback`);
    const { page } = browser;
    await page.goto(`${at}/console/accounts?q=ada`);
    expect(await signedIn(page)).to.equal(undefined);
    await page.getByRole('link', { name: /^Continue with 127\.0\.0\.1/ }).click();
    await page.getByRole('link', { name: 'My account' }).waitFor();
    expect(page.url()).to.equal(`${at}/console/accounts?q=ada`);
    expect(await signedIn(page)).to.equal(ADA);
    expect(await cookies(page)).to.deep.include({
      name: 'rollcall-console',
      httpOnly: true,
      secure: false,
      sameSite: 'Strict',
    });
    expect((await cookies(page)).map(({ name }) => name)).not.to.include('rollcall-console-sign-in');
    // A page of the provider asks for the account: from another site, so without the cookie, and it may not read the answer.
    await page.goto(`${provider.issuer}/nothing`);
    const seen = await page.evaluate(
      (url) =>
        fetch(url, { credentials: 'include', mode: 'no-cors' }).then(
          () => 'read',
          () => 'blocked',
        ),
      `${at}/v1/me`,
    );
    expect(seen).to.equal('blocked');
    const asked = app.log.filter(({ route }) => route === '/v1/me');
    expect(asked.map(({ status, credential }) => [status, credential])).to.deep.equal([[401, null]]);
  });

  it('takes the secure cookie on this machine without HTTPS too, as a build has it', async () => {
    const at = await start();
    await app.stop();
    app = await startApp({ database: app.database, environment: 'production' });
    const here = app.url.replace('127.0.0.1', 'localhost');
    expect(here).not.to.equal(at);
    const code = await codeFor(app, ADA);
    const { page } = browser;
    await page.goto(`${here}/console/`);
    const status = await page.evaluate(async (given) => {
      const response = await fetch('/v1/session/code', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ code: given }),
      });
      return response.status;
    }, code);
    expect(status).to.equal(201);
    expect(await signedIn(page)).to.equal(ADA);
    expect(await cookies(page)).to.deep.equal([
      { name: '__Host-rollcall', httpOnly: true, secure: true, sameSite: 'Strict' },
    ]);
  });

  it('signs in again in another tab where a session has ended, and the page stays', async () => {
    const at = await start();
    provider.register(`${at}/v1/session/oidc/callback`);
    const { page } = browser;
    await page.goto(`${at}/v1/session/oidc?returnTo=/console/accounts`);
    await page.getByRole('link', { name: 'My account' }).waitFor();
    await app.database.query('delete from console_sessions');
    // Not by the pointer: what the page asks by itself may have opened the way in over it already.
    await page.getByRole('link', { name: 'My account' }).dispatchEvent('click');
    const again = page.getByRole('dialog').getByRole('link', { name: /^Continue with/ });
    await again.waitFor();
    const opened = page.context().waitForEvent('page');
    await again.click();
    const tab = await opened;
    await tab.getByRole('link', { name: 'My account' }).waitFor();
    await tab.close();
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await again.waitFor({ state: 'detached' });
    expect(await signedIn(page)).to.equal(ADA);
  });

  it('says why a provider’s answer was refused, on the page of the console', async () => {
    const at = await start();
    provider.register(`${at}/v1/session/oidc/callback`);
    provider.person = { sub: 'eve', email: 'eve@example.com', email_verified: true };
    const { page } = browser;
    await page.goto(`${at}/v1/session/oidc`);
    await page.getByRole('alert').filter({ hasText: 'There is no account' }).waitFor();
    expect(page.url()).to.equal(`${at}/console/`);
    expect(await signedIn(page)).to.equal(undefined);
  });
});
