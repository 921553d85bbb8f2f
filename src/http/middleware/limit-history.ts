import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { refusals } from '../../domain/refusals.ts';
import { rateLimited } from '../answer/rate-limited.ts';
import type { Middleware } from '../context.ts';
import { limitKey } from '../request/limit-key.ts';

/**
 * Limits the history that an account writes, counted in KiB: it is kept forever, and changes back and forth would fill the disk.
 * Not limited are admins, service tokens, which admins make, and the deletion of an account. Refused changes count too, dry runs
 * do not, and a replayed unit of work counts once. The unit of work throws `rate_limited`.
 */
export const limitHistory = (limit: RateLimiterAbstract): Middleware =>
  function limitHistory(ctx, next) {
    const { state } = ctx;
    const { actor } = state;
    if (actor !== undefined && !actor.isActiveAdmin()) {
      state.unit.spendHistory = async (bytes) => {
        if (bytes === 0 || state.hasSpent) return;
        state.hasSpent = true;
        const standing = await limit.penalty(limitKey(actor.email), Math.ceil(bytes / 1024));
        if (standing.consumedPoints <= limit.points) return;
        throw rateLimited(ctx, limit, standing, refusals.historyLimited());
      };
    }
    return next();
  };
