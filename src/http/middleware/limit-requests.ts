import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { serviceActor } from '../../domain/service-token.ts';
import { rateLimited, tellStanding } from '../answer/rate-limited.ts';
import type { Middleware } from '../context.ts';
import { limitKey } from '../request/limit-key.ts';

/**
 * Limits the requests of an account, whatever its tokens, or of a service token, and tells each request the standing. A replayed
 * unit of work is one request. Throws `rate_limited`.
 */
export const limitRequests = (limit: RateLimiterAbstract): Middleware =>
  async function limitRequests(ctx, next) {
    const { actor, service, counted } = ctx.state;
    const who = actor ? limitKey(actor.email) : service && serviceActor(service.name);
    if (who !== undefined && !counted) {
      ctx.state.counted = true;
      const standing = await limit.penalty(who);
      if (standing.consumedPoints > limit.points) throw rateLimited(ctx, limit, standing);
      tellStanding(ctx, limit, standing);
    }
    return next();
  };

/**
 * Applies the same limit to refused sign-ins, by email: their tokens are valid, so they are not failures of an address, and there
 * is no account to count them by. Throws `rate_limited`.
 */
export const limitRefusedSignIns = (limit: RateLimiterAbstract): Middleware =>
  async function limitRefusedSignIns(ctx, next) {
    try {
      await next();
    } catch (error) {
      const { refusedEmail } = ctx.state;
      if (refusedEmail === undefined) throw error;
      const standing = await limit.penalty(`refused-sign-in:${limitKey(refusedEmail)}`);
      if (standing.consumedPoints > limit.points) throw rateLimited(ctx, limit, standing);
      tellStanding(ctx, limit, standing);
      throw error;
    }
  };
