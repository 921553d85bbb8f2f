import type { IncomingMessage } from 'node:http';
import { isServiceToken, serviceTokenDigest } from '../../security/service-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import { InvalidToken, tokenDigest } from '../../security/token.ts';
import type { RequestContext } from '../context.ts';

/** The credentials of a request. */
export interface Credentials {
  readonly token: string;
  /** The token's `serviceTokenDigest` or else its `tokenDigest`. */
  readonly digest: string;
  /** Where the token was. */
  readonly credential: 'bearer' | 'cookie';
  /** Whether it is a service token. */
  readonly isService: boolean;
  /** Of a service token, unless its checksum is wrong. */
  readonly serviceDigest: string | undefined;
}

/**
 * The bearer token (RFC 6750) of a request or, without an `Authorization` header, its session cookie with one of these names.
 * `undefined` where there is neither. Read once for each request. Throws `InvalidToken` where the cookie occurs twice.
 */
export function credentialsOf(ctx: RequestContext, cookieNames: readonly string[]): Credentials | undefined {
  ctx.state.credentials ??= read(ctx, cookieNames);
  return ctx.state.credentials;
}

/** The digest of a request's credentials; `undefined` where there are none, or none that could be valid. */
export function digestOf(ctx: RequestContext, cookieNames: readonly string[]): string | undefined {
  try {
    return credentialsOf(ctx, cookieNames)?.digest;
  } catch (error) {
    // Whoever reads them next says what is wrong with them.
    if (error instanceof InvalidToken) return undefined;
    throw error;
  }
}

function read({ req }: RequestContext, cookieNames: readonly string[]): Credentials | undefined {
  const { authorization, cookie = '' } = req.headers;
  const token = authorization === undefined ? sessionToken(cookie, cookieNames) : bearerToken(req);
  if (token === undefined) return undefined;
  const credential = authorization === undefined ? 'cookie' : 'bearer';
  const isService = credential === 'bearer' && isServiceToken(token);
  const serviceDigest = isService ? serviceTokenDigest(token) : undefined;
  return { token, digest: serviceDigest ?? tokenDigest(token), credential, isService, serviceDigest };
}

function bearerToken({ headers, rawHeaders }: IncomingMessage): string | undefined {
  // Of several, `headers` has the first only, and a proxy in front may have checked another.
  const count = rawHeaders.filter((text, index) => index % 2 === 0 && AUTHORIZATION.test(text)).length;
  return count === 1 ? /^Bearer +(\S.*)$/i.exec(headers.authorization ?? '')?.[1] : undefined;
}

const AUTHORIZATION = /^authorization$/i;
