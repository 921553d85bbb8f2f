import { refusals } from '../../domain/refusals.ts';
import type { Middleware, RequestContext } from '../context.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { SAFE_METHODS } from './unit-of-work.ts';

/**
 * Refuses writes that another site makes a browser send. A browser adds its cookies by itself, whoever wrote the page, so a
 * write without a bearer token must come from our own origin or from one of `origins`. Browsers say so in `Sec-Fetch-Site`
 * (Fetch Metadata) or in `Origin` (RFC 6454, section 7), which no page can set; a request with neither is refused. A sister
 * site (`same-site`) is another site; and a typed address (`none`) never sends such a method.
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
  return function refuseCrossSite(ctx, next) {
    if (ctx.state.credential !== 'bearer' && !SAFE_METHODS.has(ctx.method) && !isFromKnownOrigin(ctx)) {
      throw refusals.crossSite();
    }
    return next();
  };
};

/**
 * The scheme is the caller's: a proxy that ends TLS in front of us need not announce it. Only browsers too old for
 * `Sec-Fetch-Site` get here.
 */
function isOwnOrigin(origin: string, host: string): boolean {
  const { protocol } = URL.parse(origin) ?? {};
  // Under the same scheme, so that an explicit default port makes no difference.
  return protocol !== undefined && URL.parse(`${protocol}//${host}`)?.origin === origin;
}
