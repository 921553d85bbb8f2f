import { isServiceToken } from '../../security/service-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import type { RequestContext } from '../context.ts';

/** What a request brings to say who is asking. */
export interface Credentials {
  readonly token: string;
  /** Where it was. */
  readonly credential: 'bearer' | 'cookie';
  /** Whether it is one of ours, and not a sign-in's. */
  readonly isService: boolean;
}

/**
 * The bearer token (RFC 6750) of a request or, where there is no `Authorization` header, its session cookie, by one of these
 * names. `undefined` where there is neither. Throws `InvalidToken` where the cookie comes twice.
 */
export function credentialsOf(ctx: RequestContext, cookieNames: readonly string[]): Credentials | undefined {
  // Of several headers `headers` would show the first, and somebody in front of us may have looked at another.
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
