import type { RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import type { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import type { RequestContext } from '../context.ts';

/** A caller's standing in the window of a rate limit. */
export type Standing = Pick<RateLimiterRes, 'remainingPoints' | 'msBeforeNext'>;

/** Sets the headers that tell the caller the limit and their standing (draft-ietf-httpapi-ratelimit-headers-11). */
export function tellStanding(ctx: RequestContext, limit: RateLimiterAbstract, standing: Standing): void {
  const { keyPrefix, points, duration } = limit;
  ctx.set('RateLimit-Policy', `"${keyPrefix}";q=${points};w=${duration}`);
  ctx.set('RateLimit', `"${keyPrefix}";r=${standing.remainingPoints};t=${secondsLeft(standing)}`);
}

/** The refusal of a caller over the limit, with `Retry-After` (RFC 6585, section 4) and the standing in the headers. */
export function rateLimited(
  ctx: RequestContext,
  limit: RateLimiterAbstract,
  standing: Standing,
  refusal = refusals.rateLimited(),
): Refusal {
  ctx.state.limitedBy = limit.keyPrefix;
  tellStanding(ctx, limit, standing);
  ctx.set('Retry-After', `${secondsLeft(standing)}`);
  return refusal;
}

function secondsLeft({ msBeforeNext }: Standing): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}
