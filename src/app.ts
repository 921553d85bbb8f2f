import Koa from 'koa';
import type { Logger } from 'pino';
import type { UnitOfWork } from './domain/unit-of-work.ts';
import type { RequestContext, RequestState } from './http/context.ts';
import type { Endpoint } from './http/endpoint.ts';
import type { Lifecycle } from './http/lifecycle.ts';
import { accessLog } from './http/middleware/access-log.ts';
import { authenticate } from './http/middleware/authenticate.ts';
import { drain } from './http/middleware/drain.ts';
import { problems } from './http/middleware/problems.ts';
import { requestId } from './http/middleware/request-id.ts';
import { securityHeaders } from './http/middleware/security-headers.ts';
import { createRouter } from './http/router.ts';
import type { TokenVerifier } from './security/token.ts';
import type { Admission } from './services/admission.ts';

/** All that the application needs of the world. */
export interface AppDeps {
  readonly inUnit: UnitOfWork;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
  readonly verifier: TokenVerifier;
  readonly admit: Admission;
  readonly endpoints: readonly Endpoint[];
  /** Puts the driver's errors into the domain's words. */
  readonly translate: (error: unknown) => unknown;
}

/** The application: the stations in the order in which a request meets them. */
export function createApp(deps: AppDeps): Koa<RequestState> {
  const router = createRouter(deps.endpoints, authenticate(deps.verifier, deps.admit), deps.inUnit);
  const app = new Koa<RequestState>();
  app.on('error', unanswered);
  app.use(requestId(deps.log));
  app.use(accessLog());
  app.use(drain(deps.lifecycle));
  app.use(problems(deps.translate));
  app.use(securityHeaders());
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}

/** Koa's last resort, which would print it: a connection that broke before its answer, or a bug outside of `problems`. */
function unanswered(error: Error, { state, writable }: RequestContext): void {
  if (writable) state.log.error({ err: error }, 'unanswered');
  else state.log.info({ reason: error.message }, 'connection lost');
}
