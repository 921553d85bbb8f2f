import { SECRET } from './app.ts';

// By a name that the compiler does not follow: the package's types bring those of a browser into the whole project.
const load = (name: string) => import(name);
const { Auth } = await load('@auth/core');
const { encode } = await load('@auth/core/jwt');
const { default: Credentials } = await load('@auth/core/providers/credentials');

/** What Auth.js makes a session token of. */
export interface Session {
  readonly token?: Record<string, unknown>;
  /** Newest first. */
  readonly secret?: string | readonly string[];
  /** The name of the cookie that it is for. */
  readonly salt?: string;
  /** How long it is valid, in seconds. */
  readonly maxAge?: number;
}

/** A session token as Auth.js 5 makes them; without more, one of Ada. */
export function sessionOf({ token, ...rest }: Session = {}): Promise<string> {
  const ada = { email: 'ada@example.com', name: 'Ada', sub: '1', picture: null };
  return encode({ secret: SECRET, salt: 'authjs.session-token', ...rest, token: { ...ada, ...token } });
}

/** How the app is set up that somebody signs in to. */
export interface AuthjsOptions {
  /** Newest first. */
  readonly secret?: string | readonly string[];
  /** Where the app is; on https its cookies have another name. */
  readonly origin?: string;
  /** A name of the app's own for its session cookie. */
  readonly cookieName?: string;
  /** What the app puts into its sessions besides. */
  readonly claims?: Record<string, unknown>;
}

/** Signs Ada in to an app that uses Auth.js 5, and returns the cookies that her browser then has, by name. */
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

/** Cookies as a browser sends them. */
export function cookieHeader(cookies: Iterable<readonly [name: string, value: string]>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}
