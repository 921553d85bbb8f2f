import { LRUCache } from 'lru-cache';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { Refusal } from '../../domain/refusal.ts';
import { rateLimited } from '../answer/rate-limited.ts';
import type { Middleware, RequestContext } from '../context.ts';
import { type CookieNames, digestOf } from '../request/credentials.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { networkOf } from '../request/ip-address.ts';
import { type Gate, gate } from './gate.ts';

/** The most networks remembered to be over the limit; beyond that, the least recent one is forgotten. */
const MAX_NETWORKS = 10_000;

/** How many unknown credentials of a network over the limit are checked at once: 200 a second while all fail. */
const PLACES = 4;

/** How many more wait for a check: for about a third of a second while all of those before them fail. */
const WAITING = 64;

/** The most credentials remembered to be valid. */
const MAX_PROVEN = 10_000;

/**
 * Limits the failed authentications of a client address (IPv6: of its /64). Over the limit, failing credentials are answered
 * `rate_limited`, whatever is wrong with them, until the window ends. Good ones pass, because others may share the address:
 * those that were valid before at once, until they fail, and new ones after a check, for which they may have to wait.
 *
 * The checks of an address over the limit are few at a time, and a failing one keeps its place until its refusal, which takes
 * 20 ms at least: so they cost a small part of one core, however many requests come.
 *
 * What is given at the doors of the console, such as a code, counts as credentials do, also where the answer is that nobody is signed in.
 *
 * An authenticated request, or one without credentials, does not count and asks no store: where processes share their counts,
 * each learns of an address over the limit by the first failure that it sees itself.
 *
 * Throws `rate_limited`.
 */
export const limitFailures = (
  limit: RateLimiterAbstract,
  forwarded: Forwarded,
  names: CookieNames,
): Middleware => {
  const usedUp = new LRUCache<string, true>({ max: MAX_NETWORKS });
  /** By digest, so that it holds no tokens. */
  const proven = new LRUCache<string, true>({ max: MAX_PROVEN });
  const gates = new LRUCache<string, Gate>({ max: MAX_NETWORKS });
  const gateOf = (network: string): Gate => {
    const known = gates.get(network) ?? gate({ places: PLACES, waiting: WAITING });
    gates.set(network, known);
    return known;
  };
  return async function limitFailures(ctx, next) {
    const { headers, socket } = ctx.req;
    if (!headers.authorization && !headers.cookie && !ctx.state.isDoor) return next();
    const digest = digestOf(ctx, names) ?? '';
    // Computed only where a network is over the limit, or fails. A connection that is gone has no address.
    const { remoteAddress } = socket;
    const network = once(() => networkOf(forwarded.clientAddress(ctx.req, remoteAddress)));
    const isOver = () => usedUp.size > 0 && usedUp.has(network());
    const refuse = () => {
      ctx.remove('WWW-Authenticate');
      const msBeforeNext = Math.max(1, usedUp.getRemainingTTL(network()));
      return rateLimited(ctx, limit, { remainingPoints: 0, msBeforeNext });
    };
    const wasOver = isOver();
    const leave = wasOver && !proven.has(digest) ? await gateOf(network()).enter() : () => undefined;
    if (leave === undefined) throw refuse();
    // The place is for the check, not for the request.
    ctx.state.onIdentified = leave;
    let areGood = true;
    const countFailure = async () => {
      areGood = false;
      proven.delete(digest);
      // Asks no store: the window has ended for the others when it has for this one.
      if (wasOver && isOver()) throw refuse();
      const standing = await limit.penalty(network());
      if (standing.remainingPoints === 0) {
        // For the cache, a time of 0 means for ever.
        usedUp.set(network(), true, { ttl: Math.max(1, standing.msBeforeNext) });
        const viaProxy = ctx.get('X-Forwarded-For') !== '';
        ctx.state.log.warn(
          { network: network(), viaProxy },
          'too many failed authentications; if the network is that of your proxy, set TRUST_PROXY',
        );
      }
      if (standing.consumedPoints <= limit.points) return;
      ctx.remove('WWW-Authenticate');
      throw rateLimited(ctx, limit, standing);
    };
    try {
      await next().catch(async (error: unknown) => {
        if (isRefusalOfCredentials(ctx, error)) await countFailure();
        throw error;
      });
      if (ctx.state.hasFailedSignIn) await countFailure();
    } finally {
      leave();
      if (areGood && ctx.state.credential !== undefined && !proven.get(digest)) proven.set(digest, true);
    }
  };
};

/**
 * Whether the credentials are why a request is refused. A token under an unknown key counts too, even while the provider cannot be
 * asked about it: anybody can make one up.
 */
function isRefusalOfCredentials(ctx: RequestContext, error: unknown): boolean {
  if (!(error instanceof Refusal)) return false;
  if (error.code === 'identity_provider_unavailable') return ctx.state.hasUnknownKey === true;
  // What a door is given may be a code in the body.
  const { hasBadCredentials, isDoor } = ctx.state;
  return error.code === 'unauthenticated' && (hasBadCredentials === true || isDoor === true);
}

/** Calls `compute` at the first call, and remembers its result. */
function once<T>(compute: () => T): () => T {
  let result: T | undefined;
  return () => (result ??= compute());
}
