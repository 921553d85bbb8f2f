import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Middleware } from '../context.ts';
import { rateLimited, tellStanding } from '../rate-limited.ts';

/**
 * Limits the requests of one account, by whatever token they come, and tells each where its account stands. A unit of work
 * that is replayed is one request. Throws `rate_limited`.
 */
export const limitRequests = (limit: RateLimiterAbstract): Middleware =>
  async function limitRequests(ctx, next) {
    const { actor, counted } = ctx.state;
    if (actor !== undefined && !counted) {
      ctx.state.counted = true;
      const standing = await limit.penalty(actor.id);
      if (standing.consumedPoints > limit.points) throw rateLimited(ctx, limit, standing);
      tellStanding(ctx, limit, standing);
    }
    await next();
  };
