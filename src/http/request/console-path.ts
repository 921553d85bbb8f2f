/** The path of the console. */
export const CONSOLE_PATH = '/console/';

/** The longest path that a sign-in returns to, percent-encoded: it is kept in a cookie. */
export const MAX_PATH_LENGTH = 1_000;

/**
 * A path of the console, with its query and fragment, as a browser reads it; the console itself for any other text. Nothing else may
 * follow a sign-in: a link of somebody else could show another page in its name (an open redirect).
 */
export function consolePath(text: string): string {
  if (text.length > MAX_PATH_LENGTH || !text.startsWith('/')) return CONSOLE_PATH;
  const base = 'http://console.invalid';
  const url = URL.parse(text, base);
  // Reads `//host`, `/\host`, dots and tabs as browsers do; what is left under the path has none of them.
  const isOurs = url !== null && url.origin === base && url.pathname.startsWith(CONSOLE_PATH);
  if (!isOurs || url.pathname.includes('//')) return CONSOLE_PATH;
  // ASCII by now, and up to nine times as long.
  const path = url.pathname + url.search + url.hash;
  return path.length > MAX_PATH_LENGTH ? CONSOLE_PATH : path;
}
