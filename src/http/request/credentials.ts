import { isServiceToken } from '../../security/service-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import type { RequestContext } from '../context.ts';

/** The credentials of a request. */
export interface Credentials {
  readonly token: string;
  /** Where the token was. */
  readonly credential: 'bearer' | 'cookie';
  /** Whether it is a service token. */
  readonly isService: boolean;
}

/**
 * The bearer token (RFC 6750) of a request or, without an `Authorization` header, its session cookie with one of these names.
 * `undefined` where there is neither. Throws `InvalidToken` where the cookie occurs twice.
 */
export function credentialsOf(ctx: RequestContext, cookieNames: readonly string[]): Credentials | undefined {
  // Of several headers `headers` has the first only, and a proxy in front may have checked another.
  const authorizations = ctx.req.headersDistinct['authorization'];
  if (authorizations === undefined) {
    const token = sessionToken(ctx.get('Cookie'), cookieNames);
    return token === undefined ? undefined : { token, credential: 'cookie', isService: false };
  }
  const token = bearerToken(authorizations);
  return token === undefined ? undefined : { token, credential: 'bearer', isService: isServiceToken(token) };
}

function bearerToken([authorization = '', ...others]: readonly string[]): string | undefined {
  return others.length === 0 ? /^Bearer +(\S.*)$/i.exec(authorization)?.[1] : undefined;
}
