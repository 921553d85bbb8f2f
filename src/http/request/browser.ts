import { USER_AGENT_MAX_LENGTH } from '../../domain/console-session.ts';
import { consoleSecretDigest } from '../../security/console-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import { InvalidToken } from '../../security/token.ts';
import type { RequestContext } from '../context.ts';
import type { ConsoleCookies } from './console-cookies.ts';
import { type CookieNames, credentialsOf } from './credentials.ts';
import type { Forwarded } from './forwarded.ts';
import { loggable } from './loggable.ts';

/** The browser that sends a request to a door of the console. */
export interface Browser {
  /** Its address, as far as trusted proxies tell it; `null` once it is gone. */
  readonly address: string | null;
  /** Bounded, and without what looks like a credential. */
  readonly userAgent: string | null;
  /** The digest of the session that its cookie names, whether there is such a session or not. */
  readonly sessionDigest: string | undefined;
  /** The token in its Auth.js cookie, unverified. */
  readonly signInToken: string | undefined;
  /** Where the request has its sign-in. */
  readonly signInBy: 'authjs' | 'bearer';
  /** The `Set-Cookie` of a new session, or of none. */
  setSession(token: string | null): string;
}

/** Reads what a request says about its browser. */
export type BrowserReader = (ctx: RequestContext) => Browser;

/** Creates the reader of browsers. */
export function browserReader(
  cookies: ConsoleCookies,
  names: CookieNames,
  forwarded: Forwarded,
): BrowserReader {
  return (ctx) => ({
    get address() {
      return forwarded.clientAddress(ctx.req) || null;
    },
    get userAgent() {
      return loggable(ctx.get('User-Agent'), USER_AGENT_MAX_LENGTH) || null;
    },
    get sessionDigest() {
      const token = valid(() => sessionToken(ctx.get('Cookie'), [cookies.sessionName(ctx.req)]));
      return token === undefined ? undefined : consoleSecretDigest(token);
    },
    get signInToken() {
      return valid(() => sessionToken(ctx.get('Cookie'), names.authjs));
    },
    get signInBy() {
      return credentialsOf(ctx, names)?.credential === 'bearer' ? 'bearer' : 'authjs';
    },
    setSession: (token) =>
      token === null ? cookies.clearSession(ctx.req) : cookies.setSession(ctx.req, token),
  });
}

/** The token in a cookie; `undefined` where the cookies contradict each other. */
function valid(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidToken) return undefined;
    throw error;
  }
}
