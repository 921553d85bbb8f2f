import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type RefusalCode, refusals } from '../domain/refusals.ts';
import type { AnsweredRequest, RequestObserver } from '../http/middleware/observe.ts';

/** The route of requests for paths that are none: strangers ask for any. */
const UNMATCHED = 'unmatched';

/** The methods that have a name of their own: Node.js knows thirty more, and strangers may send them. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** In seconds, from a cached read to an import. */
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** The refusals of valid tokens, and of those that cannot be checked. */
const REFUSED = [
  refusals.accountRequired,
  refusals.accountSuspended,
  refusals.emailChanged,
  refusals.emailUnverified,
  refusals.identityMismatch,
  refusals.identityProviderUnavailable,
].map(({ code }): RefusalCode => code);

/** Why a sign-in is refused. */
export const CAUSES: readonly string[] = ['no_credentials', 'invalid_credentials', ...REFUSED];

/** The rate limits, by the name that callers are told. */
export const LIMITS = ['failures', 'requests', 'history'] as const;

/** Counts requests in these series. */
export function requestSeries(registry: Registry): RequestObserver {
  const registers = [registry];
  const requests = new Counter({
    name: 'rollcall_http_requests_total',
    help: 'Requests that have ended.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'rollcall_http_request_duration_seconds',
    help: 'Time from the head of a request to the last byte of its answer.',
    labelNames: ['method', 'route'],
    buckets: DURATIONS,
    registers,
  });
  let inFlight = 0;
  new Gauge({
    name: 'rollcall_http_requests_in_flight',
    help: 'Requests that have begun and not ended, event streams included.',
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  const problems = new Counter({
    name: 'rollcall_problems_total',
    help: 'Requests that were answered with a problem, by its code.',
    labelNames: ['code'],
    registers,
  });
  const refused = new Counter({
    name: 'rollcall_sign_ins_refused_total',
    help: 'Requests whose caller was not admitted.',
    labelNames: ['cause'],
    registers,
  });
  const limited = new Counter({
    name: 'rollcall_rate_limited_total',
    help: 'Requests over a rate limit.',
    labelNames: ['limit'],
    registers,
  });
  // A rate needs a value before the first one.
  for (const cause of CAUSES) refused.inc({ cause }, 0);
  for (const limit of LIMITS) limited.inc({ limit }, 0);
  problems.inc({ code: refusals.overloaded.code }, 0);

  return {
    onRequest() {
      inFlight++;
      return () => {
        inFlight--;
      };
    },
    onAnswer(request) {
      const { status, seconds, problem, limitedBy } = request;
      const method = METHODS.has(request.method ?? '') ? `${request.method}` : 'other';
      const route = request.route ?? UNMATCHED;
      requests.inc({ method, route, status });
      durations.observe({ method, route }, seconds);
      if (problem === undefined) return;
      problems.inc({ code: problem });
      const cause = causeOf(problem, request);
      if (cause !== undefined) refused.inc({ cause });
      if (limitedBy !== undefined) limited.inc({ limit: limitedBy });
    },
  };
}

function causeOf(problem: RefusalCode, { hasBadCredentials }: AnsweredRequest): string | undefined {
  if (problem === 'unauthenticated') return hasBadCredentials ? 'invalid_credentials' : 'no_credentials';
  return REFUSED.includes(problem) ? problem : undefined;
}
