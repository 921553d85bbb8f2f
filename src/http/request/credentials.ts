import type { IncomingMessage } from 'node:http';
import { consoleSecretDigest } from '../../security/console-token.ts';
import { isServiceToken, serviceTokenDigest } from '../../security/service-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import { InvalidToken, tokenDigest } from '../../security/token.ts';
import type { RequestContext } from '../context.ts';
import { countFields } from './fields.ts';

/**
 * A header of the console's own requests. A request that has it counts as one of the console, whatever other cookies the browser adds:
 * pages of an app on the same host keep the Auth.js session. No page of another origin may send it.
 */
export const CONSOLE_HEADER = 'Rollcall-Console';

/** Its value in a request that an open page makes by itself while nobody uses it: the session ends as if there were none. */
export const UNATTENDED = 'unattended';

/** The credentials of a request. */
export interface Credentials {
  readonly token: string;
  /** What identifies the token without being it: for a service token and a session, what is stored of them. */
  readonly digest: string;
  /** Where the token was: in `Authorization`, in the cookie of Auth.js, or in that of a session of the console. */
  readonly credential: 'bearer' | 'cookie' | 'session';
  /** Whether it is a service token. */
  readonly isService: boolean;
  /** Of a service token or a session, unless it cannot be one. */
  readonly storedDigest: string | undefined;
}

/** The names of the cookies that identify a caller. */
export interface CookieNames {
  /** Of Auth.js. */
  readonly authjs: readonly string[];
  /** Of the console's session for whoever sends this request; `undefined` where the console is off. */
  readonly session: (request: IncomingMessage) => string | undefined;
}

/**
 * The bearer token (RFC 6750) of a request or, without an `Authorization` header, its cookie: that of Auth.js before that of a session of
 * the console, unless the request is the console's own ({@link CONSOLE_HEADER}). A door of the console never takes a session.
 * `undefined` where there is none of them. Read once for each request. Throws `InvalidToken` where a cookie occurs twice.
 */
export function credentialsOf(ctx: RequestContext, names: CookieNames): Credentials | undefined {
  ctx.state.credentials ??= read(ctx, names);
  return ctx.state.credentials;
}

/** The digest of a request's credentials; `undefined` where there are none, or none that could be valid. */
export function digestOf(ctx: RequestContext, names: CookieNames): string | undefined {
  try {
    return credentialsOf(ctx, names)?.digest;
  } catch (error) {
    // Whoever reads them next says what is wrong with them.
    if (error instanceof InvalidToken) return undefined;
    throw error;
  }
}

function read({ req, state }: RequestContext, names: CookieNames): Credentials | undefined {
  const { authorization, cookie = '' } = req.headers;
  if (authorization !== undefined) return bearer(bearerToken(req, authorization));
  if (cookie === '') return undefined;
  const isConsole = !state.isDoor && req.headers[CONSOLE_HEADER.toLowerCase()] !== undefined;
  const token = isConsole ? undefined : sessionToken(cookie, names.authjs);
  if (token !== undefined) {
    return {
      token,
      digest: tokenDigest(token),
      credential: 'cookie',
      isService: false,
      storedDigest: undefined,
    };
  }
  const name = state.isDoor ? undefined : names.session(req);
  const session = name === undefined ? undefined : sessionToken(cookie, [name]);
  if (session === undefined) return undefined;
  const storedDigest = consoleSecretDigest(session);
  const digest = storedDigest ?? tokenDigest(session);
  return { token: session, digest, credential: 'session', isService: false, storedDigest };
}

function bearer(token: string | undefined): Credentials | undefined {
  if (token === undefined) return undefined;
  const isService = isServiceToken(token);
  const storedDigest = isService ? serviceTokenDigest(token) : undefined;
  return { token, digest: storedDigest ?? tokenDigest(token), credential: 'bearer', isService, storedDigest };
}

function bearerToken(request: IncomingMessage, authorization: string): string | undefined {
  // Of two, a proxy in front may have checked the other one.
  const isOnly = countFields(request, 'authorization') === 1;
  return isOnly ? /^Bearer +(\S.*)$/i.exec(authorization)?.[1] : undefined;
}
