/** The path of the console. */
export const CONSOLE_PATH = '/console/';

/** The longest path that a sign-in returns to: it is kept in a cookie. */
const MAX_LENGTH = 1_000;

/**
 * A path of the console, with its query and fragment, as a browser reads it; the console itself for any other text. Nothing else may
 * follow a sign-in: a link of somebody else could show another page in its name (an open redirect).
 */
export function consolePath(text: string): string {
  if (text.length > MAX_LENGTH || !text.startsWith('/')) return CONSOLE_PATH;
  const base = 'http://console.invalid';
  const url = URL.parse(text, base);
  // Reads `//host`, `/\host`, dots and tabs as browsers do; what is left under the path has none of them.
  const isOurs = url !== null && url.origin === base && url.pathname.startsWith(CONSOLE_PATH);
  return isOurs && !url.pathname.includes('//') ? url.pathname + url.search + url.hash : CONSOLE_PATH;
}
