import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import type { WatchedPage } from './browser.ts';
import type { TestDatabase } from './database.ts';

/** What somebody does in an example whose users sign in with the pages of Auth.js. */
export interface AuthjsApp {
  signIn(email: string): Promise<void>;
  signOut(): Promise<void>;
  /** The status and the text of the page for admins. */
  report(): Promise<[status: number | undefined, text: string | undefined]>;
}

/** Uses the app at `origin` in a browser. */
export function useAuthjsApp(page: Page, origin: string): AuthjsApp {
  return {
    async signIn(email) {
      await page.goto(origin);
      await page.getByRole('link', { name: 'Sign in' }).click();
      await page.getByLabel('Email').fill(email);
      await page.getByRole('button', { name: /sign in/i }).click();
      await page.waitForURL(`${origin}/`);
    },
    async signOut() {
      await page.goto(origin);
      await page.getByRole('link', { name: 'Sign out' }).click();
      await page.getByRole('button', { name: /sign out/i }).click();
      await page.getByRole('link', { name: 'Sign in' }).waitFor();
    },
    async report() {
      const response = await page.goto(`${origin}/report`);
      return [response?.status(), (await response?.text())?.trim()];
    },
  };
}

/** An example that runs, for {@link itLetsPeopleIn}. */
export interface RunningExample {
  readonly app: AuthjsApp;
  readonly watched: WatchedPage;
  /** That of Rollcall. */
  readonly database: TestDatabase;
  readonly origin: string;
  /** What is there once a theme is saved. */
  readonly saved: Locator;
  /** What only those see who may come in. */
  readonly inside: Locator;
}

/** Tests whom an example lets in and what it keeps; ada@example.com is its first admin. */
export function itLetsPeopleIn(running: () => RunningExample): void {
  it('lets an admin in, and keeps a theme', async () => {
    const { app, watched, database, saved } = running();
    const { page } = watched;
    expect((await app.report())[0]).to.equal(401);
    await app.signIn('ada@example.com');
    await page.getByText('ada@example.com, admin').waitFor();
    watched.takeComplaints();
    await page.getByLabel('Theme').selectOption('dark');
    await saved.waitFor();
    await page.reload();
    await page.locator('[data-theme=dark]').waitFor();
    expect(await database.query('select email, preferences from users')).to.deep.equal([
      { email: 'ada@example.com', preferences: { theme: 'dark' } },
    ]);
    expect(await app.report()).to.deep.equal([200, 'A report for ada@example.com']);
    expect(watched.complaints).to.deep.equal([]);
  });

  it('lets a user in who is invited, not into the report, and out again when suspended', async () => {
    const { app, watched, database, origin, inside } = running();
    const { page } = watched;
    await app.signOut();
    await app.signIn('grace@example.com');
    await page.getByText(/no account|invite/i).waitFor();
    await database.query(`insert into users (email) values ('grace@example.com')`);
    await page.reload();
    await page.getByText('grace@example.com, user').waitFor();
    expect(await app.report()).to.deep.equal([403, 'This page is for admins.']);
    await database.query(`update users set status = 'suspended' where email = 'grace@example.com'`);
    expect((await app.report())[0]).to.equal(403);
    await page.goto(origin);
    await page.getByText(/suspended/).waitFor();
    expect(await inside.isVisible()).to.equal(false);
  });
}
