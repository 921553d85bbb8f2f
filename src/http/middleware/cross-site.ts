import { DoorError } from '../answer/problem.ts';
import type { Middleware, RequestContext } from '../context.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { SAFE_METHODS } from './unit-of-work.ts';

/**
 * Refuses what another site makes a browser ask for. A browser adds its cookies by itself, whoever wrote the page, so a
 * request that changes something and is not authenticated by a bearer token must come from our own origin or from one of
 * `origins`. Browsers say so in `Sec-Fetch-Site` (Fetch Metadata) or in `Origin` (RFC 6454, section 7), which no page can
 * set; a request with neither is refused. A sister site (`same-site`) is another site; and an address that somebody typed
 * (`none`) is never asked for with such a method.
 *
 * Throws `cross_site`.
 */
export const refuseCrossSite = (origins: ReadonlySet<string>, forwarded: Forwarded): Middleware => {
  const isFromKnownOrigin = ({ req }: RequestContext): boolean => {
    const { origin, 'sec-fetch-site': site } = req.headers;
    if (site === 'same-origin') return true;
    if (origin === undefined) return false;
    return origins.has(origin) || (site === undefined && isOwnOrigin(origin, forwarded.host(req)));
  };
  return async function refuseCrossSite(ctx, next) {
    if (ctx.state.credential !== 'bearer' && !SAFE_METHODS.has(ctx.method) && !isFromKnownOrigin(ctx)) {
      throw new DoorError(
        'cross_site',
        'With a cookie, this must come from our own origin or from one that is allowed.',
      );
    }
    await next();
  };
};

/**
 * The scheme is the caller's word: whoever speaks TLS in front of us need not say so. Only browsers too old for
 * `Sec-Fetch-Site` get here.
 */
function isOwnOrigin(origin: string, host: string): boolean {
  const { protocol } = URL.parse(origin) ?? {};
  // Under the same scheme, so that a default port that is written out makes no difference.
  return protocol !== undefined && URL.parse(`${protocol}//${host}`)?.origin === origin;
}
