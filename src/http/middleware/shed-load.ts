import { LRUCache } from 'lru-cache';
import { refusals } from '../../domain/refusals.ts';
import type { Middleware, RequestContext } from '../context.ts';
import { type CookieNames, digestOf } from '../request/credentials.ts';
import type { Leave, Load } from '../server/load.ts';

/** The most credentials remembered to be an admin's. */
const MAX_KNOWN = 1_000;

/** What a refused caller is told to wait, in seconds. */
const RETRY_AFTER = '1';

/**
 * Runs `work` once the request has a place in the load of this process, before anything is done for it: the look-up of its account
 * is part of the work. The place is for work alone: it is left while the request waits for its caller to send something, or for
 * others, and before the caller reads the answer. Credentials that were an admin's before are urgent, so that admins
 * can act while everybody else waits; they decide nothing else. Throws `overloaded`.
 */
export const shedLoad = (load: Load, names: CookieNames) => {
  /** By digest, so that it holds no tokens. */
  const ofAdmins = new LRUCache<string, true>({ max: MAX_KNOWN });
  const isUrgent = (ctx: RequestContext) => {
    const digest = digestOf(ctx, names);
    return digest !== undefined && ofAdmins.has(digest);
  };
  const enter = async (ctx: RequestContext): Promise<Leave> => {
    const leave = load.enter(() => isUrgent(ctx)) ?? (await load.wait());
    if (leave === undefined) {
      ctx.set('Retry-After', RETRY_AFTER);
      throw refusals.overloaded();
    }
    if (!ctx.req.socket.destroyed) return leave;
    leave();
    throw refusals.bodyIncomplete();
  };
  return (work: Middleware): Middleware =>
    async function shedLoad(ctx, next) {
      const { state } = ctx;
      const place = new Place(ctx, enter, await enter(ctx));
      state.place = place;
      try {
        await work(ctx, async () => undefined);
      } finally {
        place.leave();
        const { actor, credentials } = state;
        if (credentials !== undefined && actor?.isActiveAdmin()) ofAdmins.set(credentials.digest, true);
      }
      return next();
    };
};

/**
 * The place of a request in the load of this process. An object rather than two functions in the request's state: with those, three
 * times as much of what a request allocates reached the old generation of the heap (`--trace-gc-nvp`, `GET /v1/me`).
 */
class Place {
  readonly #ctx: RequestContext;
  readonly #enter: (ctx: RequestContext) => Promise<Leave>;
  #leave: Leave | undefined;

  constructor(ctx: RequestContext, enter: (ctx: RequestContext) => Promise<Leave>, leave: Leave) {
    this.#ctx = ctx;
    this.#enter = enter;
    this.#leave = leave;
  }

  /** Gives the place to others; the second time does nothing. */
  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
  }

  /** Waits without the place, and takes one again. Throws `overloaded` where the wait for it was too long. */
  async standAside<T>(wait: () => Promise<T>): Promise<T> {
    this.leave();
    const result = await wait();
    this.#leave = await this.#enter(this.#ctx);
    return result;
  }
}
