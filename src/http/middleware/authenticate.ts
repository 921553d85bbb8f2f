import { sign } from '../../domain/author.ts';
import type { RecordedChange } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import type { AccountLookup } from '../../domain/user.ts';
import { InvalidToken, type TokenVerifier } from '../../security/token.ts';
import { accountOf } from '../../services/accounts.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
import { MAX_DRY_RUN_CHANGES } from '../schemas/change.ts';

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
    const { unit, requestId } = ctx.state;
    const actor = await accountOf(unit.em, email, findAccount);
    sign(unit.em, {
      actorId: actor.id,
      actor: actor.email,
      requestId,
      onRecorded: (changes) => keepRehearsed(ctx.state, changes),
    });
    ctx.state.actor = actor;
    ctx.state.credential = 'bearer';
    await next();
  };

function keepRehearsed({ rehearsed }: RequestState, changes: readonly RecordedChange[]): void {
  rehearsed?.push(...changes.slice(0, MAX_DRY_RUN_CHANGES - rehearsed.length));
}

function bearerToken(ctx: RequestContext): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(ctx.get('Authorization'))?.[1];
}

function unauthenticated(ctx: RequestContext, challenge: string): DomainError {
  ctx.set('WWW-Authenticate', challenge);
  return new DomainError('unauthenticated', 'This needs a valid bearer token.');
}
