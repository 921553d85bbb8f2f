import koaCors from '@koa/cors';
import type { Middleware } from '../context.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What a page may send beyond what every page may. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'X-Request-Id',
];

/** What a page may read of an answer beyond what every page may. */
const ANSWER_HEADERS = [
  'Content-Disposition',
  'ETag',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];

/** How long a browser may go by the answer to a preflight, in seconds. */
const MAX_AGE_SECONDS = 600;

/**
 * Lets the pages of these origins, and of no other, call and read along, with cookies too (Fetch Standard, "CORS
 * protocol"): refusals as well as successes. Every answer says that it goes by `Origin`. Preflights of other origins are
 * answered as any `OPTIONS`, with no allowance.
 */
export const cors = (origins: ReadonlySet<string>): Middleware => {
  const allow = koaCors({
    origin: (ctx) => (origins.has(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    credentials: true,
    allowMethods: METHODS,
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_SECONDS,
    // Our problems keep what has been set; the errors themselves are not to be written on.
    keepHeadersOnError: false,
  });
  return async function cors(ctx, next) {
    await allow(ctx, next);
  };
};
