import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { serviceActor } from '../../domain/service-token.ts';
import type { Middleware } from '../context.ts';
import { rateLimited, tellStanding } from '../rate-limited.ts';

/**
 * Limits the requests of one account, by whatever token they come, or of one service token, and tells each where its account stands. A unit of work
 * that is replayed is one request. Throws `rate_limited`.
 */
export const limitRequests = (limit: RateLimiterAbstract): Middleware =>
  async function limitRequests(ctx, next) {
    const { actor, service, counted } = ctx.state;
    const who = actor?.id ?? (service && serviceActor(service.name));
    if (who !== undefined && !counted) {
      ctx.state.counted = true;
      const standing = await limit.penalty(who);
      if (standing.consumedPoints > limit.points) throw rateLimited(ctx, limit, standing);
      tellStanding(ctx, limit, standing);
    }
    await next();
  };
