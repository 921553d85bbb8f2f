import { SECRET } from './app.ts';

// A dynamic name hides the package from the compiler: its types would add a browser's types to the whole project.
const load = (name: string) => import(name);
const { Auth } = await load('@auth/core');
const { encode } = await load('@auth/core/jwt');
const { default: Credentials } = await load('@auth/core/providers/credentials');

/** The parameters of a session token. */
export interface Session {
  readonly token?: Record<string, unknown>;
  /** Newest first. */
  readonly secret?: string | readonly string[];
  /** The name of its cookie. */
  readonly salt?: string;
  /** Its lifetime, in seconds. */
  readonly maxAge?: number;
}

/** A session token encoded by Auth.js 5, by default for Ada. */
export function sessionOf({ token, ...rest }: Session = {}): Promise<string> {
  const ada = { email: 'ada@example.com', name: 'Ada', sub: '1', picture: null };
  return encode({ secret: SECRET, salt: 'authjs.session-token', ...rest, token: { ...ada, ...token } });
}

/** The settings of an app that uses Auth.js. */
export interface AuthjsOptions {
  /** Newest first. */
  readonly secret?: string | readonly string[];
  /** The app's origin; on https its cookies have other names. */
  readonly origin?: string;
  /** A custom name for the session cookie. */
  readonly cookieName?: string;
  /** Extra claims that the app adds to its sessions. */
  readonly claims?: Record<string, unknown>;
}

/** Signs Ada in to an app that uses Auth.js 5, and returns her browser's cookies by name. */
export async function signIn({
  secret = SECRET,
  origin = 'http://localhost:3000',
  cookieName,
  claims,
}: AuthjsOptions = {}): Promise<Map<string, string>> {
  const cookies = new Map<string, string>();
  const call = async (path: string, form?: Record<string, string>) => {
    const headers = { Cookie: cookieHeader(cookies) };
    const body = form && { method: 'POST', body: new URLSearchParams(form) };
    const response: Response = await Auth(new Request(`${origin}/auth/${path}`, { headers, ...body }), {
      basePath: '/auth',
      trustHost: true,
      secret,
      providers: [Credentials({ authorize: () => ({ id: '1', email: 'ada@example.com', name: 'Ada' }) })],
      callbacks: { jwt: ({ token }: { token: object }) => ({ ...token, ...claims }) },
      ...(cookieName && { cookies: { sessionToken: { name: cookieName } } }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
  const { csrfToken } = (await (await call('csrf')).json()) as { csrfToken: string };
  await call('callback/credentials', { csrfToken });
  return cookies;
}

/** The `Cookie` header for these cookies. */
export function cookieHeader(cookies: Iterable<readonly [name: string, value: string]>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}
