import Koa from 'koa';
import compose from 'koa-compose';
import type { Logger } from 'pino';
import type { Right } from './domain/right.ts';
import type { ServeConsole } from './http/answer/served-console.ts';
import type { RequestContext, RequestState } from './http/context.ts';
import type { Endpoint } from './http/endpoint.ts';
import { accessLog } from './http/middleware/access-log.ts';
import { authenticate } from './http/middleware/authenticate.ts';
import { checkHost } from './http/middleware/check-host.ts';
import { cors } from './http/middleware/cors.ts';
import { refuseCrossSite, refuseForeign } from './http/middleware/cross-site.ts';
import { drain } from './http/middleware/drain.ts';
import { limitFailures } from './http/middleware/limit-failures.ts';
import { limitHistory } from './http/middleware/limit-history.ts';
import { limitRefusedSignIns, limitRequests } from './http/middleware/limit-requests.ts';
import { linger } from './http/middleware/linger.ts';
import { observe, type RequestObserver } from './http/middleware/observe.ts';
import { problems } from './http/middleware/problems.ts';
import { requestId } from './http/middleware/request-id.ts';
import { requireHost } from './http/middleware/require-host.ts';
import { returnRefused } from './http/middleware/return-refused.ts';
import { securityHeaders } from './http/middleware/security-headers.ts';
import { serverTiming } from './http/middleware/server-timing.ts';
import { shedLoad } from './http/middleware/shed-load.ts';
import { traceRequests } from './http/middleware/trace-requests.ts';
import { unknownPage } from './http/middleware/unknown-page.ts';
import { browserReader } from './http/request/browser.ts';
import { consoleCookies, type PublicAddress } from './http/request/console-cookies.ts';
import type { CookieNames } from './http/request/credentials.ts';
import { forwarded, type TrustProxy } from './http/request/forwarded.ts';
import { createRouter } from './http/router.ts';
import type { Lifecycle } from './http/server/lifecycle.ts';
import type { Load } from './http/server/load.ts';
import type { Transfers } from './http/transfers/limits.ts';
import type { TokenVerifier } from './security/token.ts';
import type { Admission } from './services/access/admission.ts';
import type { SessionLookUp } from './services/access/console-session-look-up.ts';
import type { ServiceTokenLookUp } from './services/access/service-token-look-up.ts';
import type { Seeds } from './services/accounts/seed-warning.ts';
import type { RateLimits } from './store/rate-limits.ts';
import type { Replicas } from './store/replicas/replicas.ts';
import type { UnitOfWork } from './store/unit.ts';
import type { StatementTimes } from './tracing/statement-times.ts';
import { findTracer } from './tracing/tracing.ts';

/** What the application needs. */
export interface AppDeps {
  readonly inUnit: UnitOfWork;
  readonly log: Logger;
  /** Counts the statements of each request, which its answer then tells. */
  readonly statementTimes: StatementTimes | undefined;
  readonly lifecycle: Lifecycle;
  readonly verifier: TokenVerifier;
  /** The names of the Auth.js cookie. */
  readonly authjsCookies: readonly string[];
  /** Finds the sessions of the console. */
  readonly sessions: SessionLookUp;
  /** Serves the console; `undefined` where it is off. */
  readonly serveConsole: ServeConsole | undefined;
  readonly publicAddress: PublicAddress;
  /** The names of hosts that requests may be for, beside addresses and private names; `undefined`: any. */
  readonly knownHosts: readonly string[] | undefined;
  /** Whether a refused sign-in is told the cause, which otherwise only the log has. */
  readonly tellsCauses: boolean;
  /** Finds the account of a sign-in, or creates it. */
  readonly admit: Admission;
  readonly findServiceToken: ServiceTokenLookUp;
  readonly endpoints: readonly Endpoint[];
  /** In front of every path; empty: none. */
  readonly basePath: string;
  /** The emails of INITIAL_ADMINS: the answer to a write that removes one of these admins says that the next start undoes it. */
  readonly seeds: Seeds;
  /** Other origins whose pages may call, as browsers write them. */
  readonly corsOrigins: readonly string[];
  /** Further request headers that those pages may send. */
  readonly corsHeaders: readonly string[];
  readonly trustProxy: TrustProxy;
  readonly rateLimits: RateLimits;
  readonly transfers: Transfers;
  readonly load: Load;
  /** The read replicas; without any, everything is read from the primary. */
  readonly replicas: Replicas | undefined;
  /** Told of every request. */
  readonly observer?: RequestObserver | undefined;
  /** How long the JSON body of a request may take to arrive, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Turns the driver's errors into refusals. */
  readonly translate: (error: unknown, right?: Right | null) => unknown;
}

/** Creates the application: the middleware in the order in which a request meets them. */
export function createApp(deps: AppDeps): Koa<RequestState> {
  const { failures, requests, history } = deps.rateLimits;
  const origins = new Set(deps.corsOrigins);
  const proxies = forwarded(deps.trustProxy);
  const { publicUrl } = deps.publicAddress;
  const cookies = consoleCookies(deps.publicAddress, proxies, deps.basePath);
  const names: CookieNames = {
    authjs: deps.authjsCookies,
    session: deps.serveConsole ? cookies.sessionName : () => undefined,
  };
  const identify = compose<RequestContext>([
    ...(requests ? [limitRefusedSignIns(requests)] : []),
    authenticate(deps.verifier, names, deps, deps.tellsCauses),
    refuseCrossSite(origins, proxies, publicUrl),
    ...(requests ? [limitRequests(requests)] : []),
    ...(history ? [limitHistory(history)] : []),
  ]);
  const app = new Koa<RequestState>();
  app.on('error', unanswered);
  if (deps.observer) app.use(observe(deps.observer));
  app.use(linger());
  app.use(requestId(deps.log));
  const tracer = findTracer();
  if (tracer) app.use(traceRequests(tracer, proxies, deps.basePath));
  app.use(accessLog(deps.log, proxies));
  if (deps.statementTimes) app.use(serverTiming(deps.statementTimes));
  app.use(drain(deps.lifecycle));
  app.use(problems(deps.translate));
  app.use(securityHeaders());
  app.use(requireHost());
  if (deps.knownHosts) app.use(checkHost(new Set(deps.knownHosts), proxies));
  if (origins.size > 0) app.use(cors(origins, deps.corsHeaders));
  if (deps.serveConsole) app.use(unknownPage(deps.serveConsole, deps.basePath));
  // In front of the load, in which they would take places for their wait.
  const guards = failures ? [limitFailures(failures, proxies, names)] : [];
  app.use(
    createRouter(deps.endpoints, identify, deps.inUnit, {
      ...deps,
      guards,
      refuseForeign: refuseForeign(proxies, publicUrl),
      returnRefused: returnRefused(deps.translate, cookies, deps.basePath),
      browserOf: browserReader(cookies, names, proxies),
      shedLoad: shedLoad(deps.load, names),
    }),
  );
  return app;
}

/** Replaces Koa's last resort, which prints: a connection that broke before its answer, or a bug outside of `problems`. */
function unanswered(error: Error, { state, writable }: RequestContext): void {
  if (writable)
    state.log.error({ err: error }, 'unanswered, by a fault of this program; report it with this line');
  else state.log.info({ reason: error.message }, 'connection lost');
}
