import { sign } from '../../domain/author.ts';
import type { RecordedChange } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import type { AccountLookup } from '../../domain/user.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import {
  EmailUnverified,
  type Identity,
  InvalidToken,
  ProviderUnavailable,
  type TokenVerifier,
} from '../../security/token.ts';
import { accountOf } from '../../services/accounts.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
import { MAX_DRY_RUN_CHANGES } from '../schemas/change.ts';

/**
 * Finds out who is asking, from a bearer token (RFC 6750) or else a session cookie, and the account that it speaks for: the
 * token says who, the account says what they may do. All refusals of a token look alike; the log has the cause.
 */
export const authenticate = (
  verifier: TokenVerifier,
  cookieNames: readonly string[],
  findAccount: AccountLookup,
): Middleware =>
  async function authenticate(ctx, next) {
    const { email } = await identify(ctx, verifier, cookieNames).catch((error: unknown) => {
      throw refusal(ctx, error);
    });
    const { unit, requestId } = ctx.state;
    const actor = await accountOf(unit.em, email, findAccount);
    sign(unit.em, {
      actorId: actor.id,
      actor: actor.email,
      requestId,
      onRecorded: (changes) => keepRehearsed(ctx.state, changes),
    });
    ctx.state.actor = actor;
    await next();
  };

function keepRehearsed({ rehearsed }: RequestState, changes: readonly RecordedChange[]): void {
  rehearsed?.push(...changes.slice(0, MAX_DRY_RUN_CHANGES - rehearsed.length));
}

async function identify(
  ctx: RequestContext,
  verifier: TokenVerifier,
  cookieNames: readonly string[],
): Promise<Identity> {
  // Of several headers `headers` would show the first, and somebody in front of us may have looked at another.
  const authorizations = ctx.req.headersDistinct['authorization'];
  const token = authorizations ? bearerToken(authorizations) : sessionToken(ctx.get('Cookie'), cookieNames);
  if (token === undefined) throw unauthenticated(ctx, 'Bearer');
  const identity = await verifier.verify(token);
  ctx.state.credential = authorizations ? 'bearer' : 'cookie';
  return identity;
}

function bearerToken([authorization = '', ...others]: readonly string[]): string | undefined {
  return others.length === 0 ? /^Bearer +(\S.*)$/i.exec(authorization)?.[1] : undefined;
}

function refusal(ctx: RequestContext, error: unknown): unknown {
  if (error instanceof InvalidToken) {
    ctx.state.log.info({ cause: error.message }, 'token refused');
    return unauthenticated(ctx, 'Bearer error="invalid_token"');
  }
  if (error instanceof EmailUnverified) {
    return new DomainError('email_unverified', 'The email of this sign-in has not been verified.');
  }
  if (error instanceof ProviderUnavailable) {
    ctx.set('Retry-After', `${error.retryAfterSeconds}`);
    return new DomainError('identity_provider_unavailable', error.message, { cause: error.cause });
  }
  return error;
}

function unauthenticated(ctx: RequestContext, challenge: string): DomainError {
  ctx.set('WWW-Authenticate', challenge);
  return new DomainError('unauthenticated', 'This needs a valid bearer token.');
}
