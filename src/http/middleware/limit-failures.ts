import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { Refusal } from '../../domain/refusal.ts';
import { InvalidToken } from '../../security/token.ts';
import { rateLimited } from '../answer/rate-limited.ts';
import type { Middleware, RequestContext } from '../context.ts';
import { credentialsOf } from '../request/credentials.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { networkOf } from '../request/ip-address.ts';

/** The most networks remembered to be over the limit; beyond that, the least recent one is forgotten. */
const MAX_NETWORKS = 10_000;

/** The most credentials remembered to be valid. */
const MAX_PROVEN = 10_000;

/**
 * Limits the failed authentications of a client address (IPv6: of its /64). Over the limit, requests with credentials are
 * refused before the credentials are checked, until the window ends; but credentials that were valid here before still pass,
 * because others may share the address. They are forgotten when they fail.
 *
 * An authenticated request, or one without credentials, does not count and asks no store: where processes share their counts,
 * each learns of an address over the limit by the first failure that it sees itself.
 *
 * Throws `rate_limited`.
 */
export const limitFailures = (
  limit: RateLimiterAbstract,
  forwarded: Forwarded,
  cookieNames: readonly string[],
): Middleware => {
  const usedUp = new LRUCache<string, true>({ max: MAX_NETWORKS });
  /** By digest, so that it holds no tokens. */
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
        // For the cache, a time of 0 means for ever.
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

/** The digest of a request's credentials; empty where none could be valid. */
function digestOf(ctx: RequestContext, cookieNames: readonly string[]): string {
  try {
    const token = credentialsOf(ctx, cookieNames)?.token;
    return token === undefined ? '' : hash('sha256', token, 'base64url');
  } catch (error) {
    if (error instanceof InvalidToken) return '';
    throw error;
  }
}

/**
 * Judges by the challenge, which names an error only for credentials (RFC 6750, section 3.1). A token under an unknown key counts
 * too, even while the provider cannot be asked about it: anybody can make one up.
 */
function isRefusalOfCredentials(ctx: RequestContext, error: unknown): boolean {
  if (!(error instanceof Refusal)) return false;
  if (error.code === 'identity_provider_unavailable') return ctx.state.hasUnknownKey === true;
  return error.code === 'unauthenticated' && /\berror=/.test(ctx.response.get('WWW-Authenticate'));
}
