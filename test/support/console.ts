import { makeCode } from '../../src/services/access/console-codes.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import type { TestApp } from './app.ts';

/** What browsers add to the requests of our own pages. */
export const OWN_PAGE = { 'Sec-Fetch-Site': 'same-origin' };

/** The answer of a door. */
export interface SignedIn {
  readonly account: { readonly id: number; readonly email: string; readonly role: string };
  readonly session: { readonly id: number; readonly door: string; readonly userAgent: string | null };
}

/** A browser that is signed in to the console. */
export interface SignedInBrowser extends SignedIn {
  /** Its cookie, as it sends it. */
  readonly cookie: string;
  /** Sends a request of our own page with the cookie. */
  call(path: string, init?: RequestInit): Promise<Response>;
}

/** Makes a code that signs in once. */
export async function codeFor(app: TestApp, email: string, seconds?: number): Promise<string> {
  return (await unitsOfWork(app.orm)((unit) => makeCode(unit, email, seconds))).code;
}

/** Redeems a code, as our own page does after a click. */
export function redeem(app: TestApp, code: string, headers: Record<string, string> = {}): Promise<Response> {
  return app.call('/v1/session/code', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...OWN_PAGE, ...headers },
    body: JSON.stringify({ code }),
  });
}

/** The cookie that an answer sets, as a browser sends it. */
export function cookieOf(response: Response, name = ''): string {
  const cookie = response.headers.getSetCookie().find((one) => one.startsWith(name));
  return cookie?.split(';')[0] ?? '';
}

/** A browser with a cookie, whether it is signed in by it or not. */
export function browserWith(app: TestApp, cookie: string) {
  return (path: string, init: RequestInit = {}) =>
    app.call(path, { ...init, headers: { ...OWN_PAGE, Cookie: cookie, ...init.headers } });
}

/** Signs a browser in by a code. */
export async function signInToConsole(
  app: TestApp,
  email: string,
  headers: Record<string, string> = {},
): Promise<SignedInBrowser> {
  const response = await redeem(app, await codeFor(app, email), headers);
  if (response.status !== 201) throw new Error(await response.text());
  const cookie = cookieOf(response);
  return { ...((await response.json()) as SignedIn), cookie, call: browserWith(app, cookie) };
}
