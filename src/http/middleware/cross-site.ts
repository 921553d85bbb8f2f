import { refusals } from '../../domain/refusals.ts';
import type { Middleware, RequestContext } from '../context.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { SAFE_METHODS } from './unit-of-work.ts';

/** Whether a request comes from one of our own pages, or from no page at all. */
type OwnPages = (ctx: RequestContext) => boolean;

/**
 * Creates the check that a request comes from our own pages. Browsers say so in `Sec-Fetch-Site` (Fetch Metadata), or at least in
 * `Origin` where the request writes: that of the requested host, or `publicUrl`. Without either, only reads pass.
 */
const ownPages = (forwarded: Forwarded, publicUrl: string | null): OwnPages => {
  return ({ req, method }) => {
    const { origin, 'sec-fetch-site': site } = req.headers;
    if (site !== undefined) return site === 'same-origin' || (site === 'none' && SAFE_METHODS.has(method));
    if (origin === undefined) return SAFE_METHODS.has(method);
    return origin === publicUrl || isOwnOrigin(origin, forwarded.host(req));
  };
};

/**
 * Refuses what is sent to a door of the console from anywhere but our own pages: another site could sign a browser in to an account of
 * its own (login CSRF), or out. A program passes with a bearer token, which no page adds by itself. Throws `cross_site`.
 */
export const refuseForeign = (forwarded: Forwarded, publicUrl: string | null = null): Middleware => {
  const isOwn = ownPages(forwarded, publicUrl);
  return function refuseForeign(ctx, next) {
    const { authorization, origin, 'sec-fetch-site': site } = ctx.req.headers;
    const isProgram = authorization !== undefined && origin === undefined && site === undefined;
    if (!isProgram && !isOwn(ctx)) throw refusals.foreignPage();
    return next();
  };
};

/**
 * Refuses writes that another site makes a browser send. A browser adds its cookies by itself, whoever wrote the page, so a
 * write without a bearer token must come from our own origin or from one of `origins`. Browsers say so in `Sec-Fetch-Site`
 * (Fetch Metadata) or in `Origin` (RFC 6454, section 7), which no page can set; a request with neither is refused. A sister
 * site (`same-site`) is another site; and a typed address (`none`) never sends such a method. A session of the console is for our own
 * pages alone: with it, reads are refused too, and so is any other origin.
 *
 * Throws `cross_site`.
 */
export const refuseCrossSite = (
  origins: ReadonlySet<string>,
  forwarded: Forwarded,
  publicUrl: string | null = null,
): Middleware => {
  const isFromKnownOrigin = ({ req }: RequestContext): boolean => {
    const { origin, 'sec-fetch-site': site } = req.headers;
    if (site === 'same-origin') return true;
    if (origin === undefined) return false;
    if (origins.has(origin)) return true;
    return site === undefined && (origin === publicUrl || isOwnOrigin(origin, forwarded.host(req)));
  };
  const isOwn = ownPages(forwarded, publicUrl);
  return function refuseCrossSite(ctx, next) {
    const { credential } = ctx.state;
    if (credential === 'session' && !isOwn(ctx)) throw refusals.foreignPage();
    if (credential !== 'bearer' && !SAFE_METHODS.has(ctx.method) && !isFromKnownOrigin(ctx)) {
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
