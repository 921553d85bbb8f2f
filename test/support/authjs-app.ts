import type { Page } from 'playwright-core';

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
