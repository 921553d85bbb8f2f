import koaCors from '@koa/cors';
import type { Middleware } from '../context.ts';
import { REASON } from '../request/reason.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Request headers that a page may send beside the safelisted ones. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Rollcall-Bookmark',
  REASON,
  'X-Request-Id',
  // Tracing in browsers adds these to every request (W3C Trace Context, W3C Baggage, Sentry).
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
];

/** Response headers that a page may read beside the safelisted ones. */
const ANSWER_HEADERS = [
  'Allow',
  'Content-Disposition',
  'ETag',
  'Idempotent-Replayed',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Rollcall-Bookmark',
  'Rollcall-Warning',
  'WWW-Authenticate',
  'X-Request-Id',
];

/** How long a browser may cache the answer to a preflight, in seconds. */
const MAX_AGE_SECONDS = 600;

/**
 * Lets pages of these origins, and no others, call with cookies and read the answers, refusals included (Fetch Standard, "CORS
 * protocol"). They may send `requestHeaders` beside those that the API reads and those of tracing. Every answer varies by
 * `Origin`. Preflights of other origins are answered like any `OPTIONS`, without permission.
 */
export const cors = (origins: ReadonlySet<string>, requestHeaders: readonly string[]): Middleware => {
  const allow = koaCors({
    origin: (ctx) => (origins.has(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    credentials: true,
    allowMethods: METHODS,
    allowHeaders: [...REQUEST_HEADERS, ...requestHeaders],
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_SECONDS,
    // Problems keep the headers that have been set; errors must not be modified.
    keepHeadersOnError: false,
  });
  return function cors(ctx, next) {
    return allow(ctx, next);
  };
};
