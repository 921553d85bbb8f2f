import { USER_AGENT_MAX_LENGTH } from '../../domain/console-session.ts';
import type { User } from '../../domain/user.ts';
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
  /** The identity of its sign-in. */
  readonly identityId: number | undefined;
  /** The `Set-Cookie` of a new session, or of none. */
  setSession(token: string | null): string;
  /** The sealed sign-in at a provider, as it came. */
  readonly signIn: string | undefined;
  /** The `Set-Cookie` of a sealed sign-in at a provider, or of none. */
  setSignIn(sealed: string | null): string;
  /** Tells the log who has signed in. */
  signedIn(account: User): void;
  /** Counts its sign-in as a failed one, though its answer is no refusal. */
  signInFailed(): void;
  /** The origin at which it has reached us. */
  readonly origin: string;
  /** The query of its request, as it came. */
  readonly query: string;
  readonly requestId: string;
  /** Does what can be done once for a request only, also where its unit of work is replayed. */
  once<T>(work: () => Promise<T>): Promise<T>;
}

/** Reads what a request says about its browser. */
export type BrowserReader = (ctx: RequestContext) => Browser;

/** Creates the reader of browsers. */
export function browserReader(
  cookies: ConsoleCookies,
  names: CookieNames,
  forwarded: Forwarded,
): BrowserReader {
  /** What was done once, by request. */
  const done = new WeakMap<RequestContext, Promise<unknown>>();
  return (ctx) => {
    const { req, state } = ctx;
    const cookieNamed = (...cookieNames: string[]) =>
      valid(() => sessionToken(ctx.get('Cookie'), cookieNames));
    return {
      get address() {
        return forwarded.clientAddress(req) || null;
      },
      get userAgent() {
        return loggable(ctx.get('User-Agent'), USER_AGENT_MAX_LENGTH) || null;
      },
      get sessionDigest() {
        const token = cookieNamed(cookies.sessionName(req));
        return token === undefined ? undefined : consoleSecretDigest(token);
      },
      get signInToken() {
        return cookieNamed(...names.authjs);
      },
      get signInBy() {
        return credentialsOf(ctx, names)?.credential === 'bearer' ? 'bearer' : 'authjs';
      },
      get identityId() {
        return state.identityId;
      },
      setSession: (token) => (token === null ? cookies.clearSession(req) : cookies.setSession(req, token)),
      get signIn() {
        return cookieNamed(cookies.signInName(req));
      },
      setSignIn: (sealed) => (sealed === null ? cookies.clearSignIn(req) : cookies.setSignIn(req, sealed)),
      signedIn(account) {
        state.actor = account;
      },
      signInFailed() {
        state.hasFailedSignIn = true;
      },
      get origin() {
        return cookies.origin(req);
      },
      query: ctx.querystring,
      requestId: state.requestId,
      once<T>(work: () => Promise<T>) {
        const result = (done.get(ctx) as Promise<T> | undefined) ?? work();
        done.set(ctx, result);
        return result;
      },
    };
  };
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
