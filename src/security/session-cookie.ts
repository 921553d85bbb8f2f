import { InvalidToken } from './token.ts';

/**
 * The token in a `Cookie` header: the value of the first of these names that has one, or, where a name has none, those of
 * its chunks (`name.0`, `name.1` and so on, up to the first that is missing), into which Auth.js splits what is too long
 * for one cookie. Names count to the letter. `undefined` where there is no such cookie.
 *
 * Throws `InvalidToken` where one of them comes twice, or once whole and once in chunks: one of the two is somebody else's
 * (RFC 6265, section 8.6).
 */
export function sessionToken(header: string, names: readonly string[]): string | undefined {
  const cookies = parse(header);
  for (const name of names) {
    const [whole, parts] = [cookieValue(cookies, name), chunked(cookies, name)];
    if (whole !== '' && parts !== '') throw twice();
    if (whole + parts !== '') return whole + parts;
  }
  return undefined;
}

function chunked(cookies: Cookies, name: string): string {
  let token = '';
  for (let index = 0; ; index++) {
    const chunk = cookieValue(cookies, `${name}.${index}`);
    if (chunk === '') return token;
    token += chunk;
  }
}

type Cookies = ReadonlyMap<string, readonly string[]>;

function cookieValue(cookies: Cookies, name: string): string {
  const [value = '', ...others] = cookies.get(name) ?? [];
  if (others.length > 0) throw twice();
  return value;
}

function twice(): InvalidToken {
  return new InvalidToken('a session cookie comes twice');
}

function parse(header: string): Cookies {
  const cookies = new Map<string, string[]>();
  for (const pair of header.split(';')) {
    const [name = '', ...value] = pair.split('=');
    const values = cookies.get(name.trim()) ?? [];
    cookies.set(name.trim(), [...values, value.join('=').trim()]);
  }
  return cookies;
}
