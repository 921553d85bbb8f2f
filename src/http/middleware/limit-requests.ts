import { hash } from 'node:crypto';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { serviceActor } from '../../domain/service-token.ts';
import { rateLimited, tellStanding } from '../answer/rate-limited.ts';
import type { Middleware } from '../context.ts';

/**
 * Limits the requests of one account, by whatever token they come, or of one service token, and tells each where its
 * account stands. A unit of work that is replayed is one request. Throws `rate_limited`.
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

/**
 * Limits, by the same measure, the sign-ins with one email that are turned away: their tokens are good, so that they are no
 * failures to be held against an address, and yet there is no account to count them by. Throws `rate_limited`.
 */
export const limitTurnedAway = (limit: RateLimiterAbstract): Middleware =>
  async function limitTurnedAway(ctx, next) {
    try {
      await next();
    } catch (error) {
      const { turnedAway } = ctx.state;
      if (turnedAway === undefined) throw error;
      // In one length, whatever it is, and never the same as that of an account.
      const standing = await limit.penalty(`turned-away:${hash('sha256', turnedAway, 'base64url')}`);
      if (standing.consumedPoints > limit.points) throw rateLimited(ctx, limit, standing);
      tellStanding(ctx, limit, standing);
      throw error;
    }
  };
