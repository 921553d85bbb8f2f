import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { DomainError } from '../../domain/errors.ts';
import { InvalidToken } from '../../security/token.ts';
import { rateLimited } from '../answer/rate-limited.ts';
import type { Middleware, RequestContext } from '../context.ts';
import { credentialsOf } from '../request/credentials.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { networkOf } from '../request/ip-address.ts';

/** How many networks are remembered to be over the limit; past that, the one that asked the longest ago is forgotten. */
const MAX_NETWORKS = 10_000;

/** And of how many credentials it is remembered that they were good. */
const MAX_PROVEN = 10_000;

/**
 * Limits the failed authentications of one client address (IPv6: of its /64). Once they are used up, whatever comes from
 * there with credentials is refused before these are looked at, until the window ends; but not credentials that have been
 * good here before, for honest people may be behind the same address. Those are forgotten when they fail.
 *
 * A request that is authenticated, or brings no credentials, counts for nothing and asks no store: where several processes
 * share their counts, each learns of one that is over the limit by the first failure that it sees itself.
 *
 * Throws `rate_limited`.
 */
export const limitFailures = (
  limit: RateLimiterAbstract,
  forwarded: Forwarded,
  cookieNames: readonly string[],
): Middleware => {
  const usedUp = new LRUCache<string, true>({ max: MAX_NETWORKS });
  /** By their digests, so that it holds no tokens. */
  const proven = new LRUCache<string, true>({ max: MAX_PROVEN });
  return async function limitFailures(ctx, next) {
    if (ctx.get('Authorization') === '' && ctx.get('Cookie') === '') return next();
    const network = networkOf(forwarded.clientAddress(ctx.req));
    const msBeforeNext = usedUp.getRemainingTTL(network);
    const digest = digestOf(ctx, cookieNames);
    if (msBeforeNext > 0 && !proven.has(digest)) {
      throw rateLimited(ctx, limit, { remainingPoints: 0, msBeforeNext });
    }
    let areGood = true;
    try {
      await next();
    } catch (error) {
      if (!isRefusalOfCredentials(ctx, error)) throw error;
      areGood = false;
      proven.delete(digest);
      const standing = await limit.penalty(network);
      if (standing.remainingPoints === 0) {
        // A cache takes a time of 0 for "for ever".
        usedUp.set(network, true, { ttl: Math.max(1, standing.msBeforeNext) });
        const viaProxy = ctx.get('X-Forwarded-For') !== '';
        ctx.state.log.warn({ network, viaProxy }, 'too many failed authentications');
      }
      if (standing.consumedPoints <= limit.points) throw error;
      ctx.remove('WWW-Authenticate');
      throw rateLimited(ctx, limit, standing);
    } finally {
      if (areGood && ctx.state.credential !== undefined) proven.set(digest, true);
    }
  };
};

/** Of the credentials of a request; empty where there are none that could be good. */
function digestOf(ctx: RequestContext, cookieNames: readonly string[]): string {
  try {
    const token = credentialsOf(ctx, cookieNames)?.token;
    return token === undefined ? '' : hash('sha256', token, 'base64url');
  } catch (error) {
    if (error instanceof InvalidToken) return '';
    throw error;
  }
}

/** By the challenge, which names an error only where there were credentials (RFC 6750, section 3.1). */
function isRefusalOfCredentials(ctx: RequestContext, error: unknown): boolean {
  return (
    error instanceof DomainError &&
    error.code === 'unauthenticated' &&
    /\berror=/.test(ctx.response.get('WWW-Authenticate'))
  );
}
