import { DomainError } from '../../domain/errors.ts';
import type { AccountLookup } from '../../domain/user.ts';
import { InvalidToken, type TokenVerifier } from '../../security/token.ts';
import { accountOf } from '../../services/accounts.ts';
import type { Middleware, RequestContext } from '../context.ts';

/**
 * Finds out who is asking, from the bearer token (RFC 6750) and the account that it speaks for: the token says who, the
 * account says what they may do. All refusals of a token look alike; the log has the cause.
 */
export const authenticate = (verifier: TokenVerifier, findAccount: AccountLookup): Middleware =>
  async function authenticate(ctx, next) {
    const token = bearerToken(ctx);
    if (token === undefined) throw unauthenticated(ctx, 'Bearer');
    const { email } = await verifier.verify(token).catch((error: unknown) => {
      if (!(error instanceof InvalidToken)) throw error;
      ctx.state.log.info({ cause: error.message }, 'token refused');
      throw unauthenticated(ctx, 'Bearer error="invalid_token"');
    });
    ctx.state.credential = 'bearer';
    ctx.state.actor = await accountOf(ctx.state.unit.em, email, findAccount);
    await next();
  };

function bearerToken(ctx: RequestContext): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(ctx.get('Authorization'))?.[1];
}

function unauthenticated(ctx: RequestContext, challenge: string): DomainError {
  ctx.set('WWW-Authenticate', challenge);
  return new DomainError('unauthenticated', 'This needs a valid bearer token.');
}
