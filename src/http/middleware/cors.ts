import koaCors from '@koa/cors';
import type { Middleware } from '../context.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Request headers that a page may send beside the safelisted ones. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'X-Request-Id',
];

/** Response headers that a page may read beside the safelisted ones. */
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

/** How long a browser may cache the answer to a preflight, in seconds. */
const MAX_AGE_SECONDS = 600;

/**
 * Lets pages of these origins, and no others, call with cookies and read the answers, refusals included (Fetch Standard, "CORS
 * protocol"). Every answer varies by `Origin`. Preflights of other origins are answered like any `OPTIONS`, without
 * permission.
 */
export const cors = (origins: ReadonlySet<string>): Middleware => {
  const allow = koaCors({
    origin: (ctx) => (origins.has(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    credentials: true,
    allowMethods: METHODS,
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_SECONDS,
    // Problems keep the headers that have been set; errors must not be modified.
    keepHeadersOnError: false,
  });
  return async function cors(ctx, next) {
    await allow(ctx, next);
  };
};
