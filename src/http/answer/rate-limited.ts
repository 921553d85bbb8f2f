import type { RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import type { RequestContext } from '../context.ts';
import { DoorError } from './problem.ts';

/** Where somebody stands in the window of a limit. */
export type Standing = Pick<RateLimiterRes, 'remainingPoints' | 'msBeforeNext'>;

/** Tells the caller the limit and where they stand: the fields of draft-ietf-httpapi-ratelimit-headers-11. */
export function tellStanding(ctx: RequestContext, limit: RateLimiterAbstract, standing: Standing): void {
  const { keyPrefix, points, duration } = limit;
  ctx.set('RateLimit-Policy', `"${keyPrefix}";q=${points};w=${duration}`);
  ctx.set('RateLimit', `"${keyPrefix}";r=${standing.remainingPoints};t=${secondsLeft(standing)}`);
}

/** The refusal of one who is over the limit; it sets `Retry-After` (RFC 6585, section 4) and tells the standing. */
export function rateLimited(ctx: RequestContext, limit: RateLimiterAbstract, standing: Standing): DoorError {
  tellStanding(ctx, limit, standing);
  ctx.set('Retry-After', `${secondsLeft(standing)}`);
  return new DoorError(
    'rate_limited',
    'This is too much at once. Retry-After says how many seconds to wait.',
  );
}

function secondsLeft({ msBeforeNext }: Standing): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}
