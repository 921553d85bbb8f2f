import { InvalidToken } from './token.ts';

/** The most cookies in a header: browsers keep fewer than 200 for a site. */
const MAX_COOKIES = 1_000;

/**
 * The token in a `Cookie` header: the value of the first of `names` that is present, or `undefined`. Names are case
 * sensitive. Auth.js splits a token that is too long for one cookie into chunks (`name.0`, `name.1` and so on); this
 * function joins them, up to the first missing chunk.
 * @throws {InvalidToken} if a cookie appears twice, or both whole and in chunks: another site may have set one of them
 *   (RFC 6265, section 8.6); or if there are more than {@link MAX_COOKIES}.
 */
export function sessionToken(header: string, names: readonly string[]): string | undefined {
  const cookies = parseCookies(header);
  for (const name of names) {
    const [whole, joined] = [readValue(cookies, name), joinChunks(cookies, name)];
    if (whole !== '' && joined !== '') throw duplicateCookie();
    if (whole + joined !== '') return whole + joined;
  }
  return undefined;
}

function joinChunks(cookies: Cookies, name: string): string {
  let token = '';
  for (let index = 0; ; index++) {
    const chunk = readValue(cookies, `${name}.${index}`);
    if (chunk === '') return token;
    token += chunk;
  }
}

type Cookies = ReadonlyMap<string, readonly string[]>;

function readValue(cookies: Cookies, name: string): string {
  const [value = '', ...others] = cookies.get(name) ?? [];
  if (others.length > 0) throw duplicateCookie();
  return value;
}

function duplicateCookie(): InvalidToken {
  return new InvalidToken('the session cookie appears twice');
}

/** Reads a header from anybody, before anything is known about them: its cost must not grow faster than its length. */
function parseCookies(header: string): Cookies {
  const pairs = header.split(';', MAX_COOKIES + 1);
  if (pairs.length > MAX_COOKIES) throw new InvalidToken(`there are more than ${MAX_COOKIES} cookies`);
  const cookies = new Map<string, string[]>();
  for (const pair of pairs) {
    const end = pair.indexOf('=');
    const name = (end < 0 ? pair : pair.slice(0, end)).trim();
    const value = end < 0 ? '' : pair.slice(end + 1).trim();
    const values = cookies.get(name);
    if (values === undefined) cookies.set(name, [value]);
    else values.push(value);
  }
  return cookies;
}
