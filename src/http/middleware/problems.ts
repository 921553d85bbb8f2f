import { refusals } from '../../domain/refusals.ts';
import type { Right } from '../../domain/right.ts';
import { problemOf } from '../answer/problem.ts';
import type { Middleware, RequestContext } from '../context.ts';
import { adviceOn } from './advice.ts';

/**
 * Answers every error of the later middleware as a problem (RFC 9457), and logs our own faults, bugs with their stack.
 * `translate` turns the driver's errors into refusals, for somebody with a right.
 */
export const problems = (translate: (error: unknown, right: Right | null) => unknown): Middleware =>
  async function problems(ctx, next) {
    try {
      await next();
      if (ctx.body === undefined && ctx.status === 404) {
        throw refusals.notFound();
      }
      if (ctx.status === 405 || ctx.status === 501) {
        throw refusals.methodNotAllowed();
      }
    } catch (thrown) {
      const error = translate(thrown, ctx.state.unit?.right ?? null);
      const problem = problemOf(error, ctx.state.requestId);
      ctx.state.problem = problem.code;
      if (problem.status === 500)
        ctx.state.log.error(
          { code: problem.code, err: error },
          'request failed, by a fault of this program; report it with this line',
        );
      else if (problem.status > 500) warnOf(ctx, problem, error);
      else if (ctx.headerSent) ctx.state.log.info({ reason: problem.detail }, 'answer cut short');
      ctx.status = problem.status;
      ctx.type = 'application/problem+json';
      ctx.body = JSON.stringify(problem);
      // RFC 9110, section 15.5.2: a 401 has a challenge; the check before a commit knows no headers.
      if (problem.status === 401 && !ctx.response.get('WWW-Authenticate')) {
        ctx.set('WWW-Authenticate', 'Bearer error="invalid_token"');
        ctx.state.hasBadCredentials = true;
      }
      // RFC 9110, section 15.5.9: whatever of the body still comes would be taken for the next request.
      if (problem.status === 408) ctx.set('Connection', 'close');
      const isBusy = problem.status === 503 || problem.code === refusals.requestInProgress.code;
      if (isBusy && !ctx.response.get('Retry-After')) ctx.set('Retry-After', '1');
    }
  };

/** Warns operators of a refusal that is no fault of the caller. */
export function warnOf({ state }: RequestContext, problem: { readonly code: string }, error: unknown): void {
  // What is shed is logged once, by the load itself: a line for each would be load too.
  if (problem.code === 'overloaded') return;
  state.log.warn({ code: problem.code, reason: reasonOf(error) }, adviceOn(problem.code));
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} ${cause.message}` : message;
}
