import type { RefusalCode } from '../../domain/refusals.ts';
import type { Middleware, RequestContext } from '../context.ts';

/** A request that has ended. */
export interface AnsweredRequest {
  /** `undefined` where it could not be read. */
  readonly method: string | undefined;
  /** The path of its endpoint in the route table; `undefined` where it has none. */
  readonly route: string | undefined;
  /** 499 where its caller hung up before an answer. */
  readonly status: number;
  /** From its head to the last byte of its answer. */
  readonly seconds: number;
  /** The code of the problem that it was answered with. */
  readonly problem?: RefusalCode | undefined;
  /** The rate limit that it was over. */
  readonly limitedBy?: string | undefined;
  /** Whether it had credentials, and they were refused. */
  readonly hasBadCredentials?: boolean;
}

/** Told of every request. */
export interface RequestObserver {
  /** A request has begun. Returns what to call when it has ended. */
  onRequest(): () => void;
  /** A request has been answered, or given up by its caller. An unreadable one has not begun before. */
  onAnswer(request: AnsweredRequest): void;
}

/** The status of a request whose caller hung up before its answer began, as nginx logs it. */
const HUNG_UP = 499;

/** Tells an observer of each request, once its answer has been sent or its connection is gone. */
export const observe = (observer: RequestObserver): Middleware =>
  function observe(ctx, next) {
    const began = performance.now();
    const leave = observer.onRequest();
    ctx.res.once('close', () => {
      leave();
      observer.onAnswer(answered(ctx, (performance.now() - began) / 1000));
    });
    return next();
  };

function answered({ req, res, state }: RequestContext, seconds: number): AnsweredRequest {
  const { route, problem, limitedBy } = state;
  return {
    method: req.method,
    route,
    status: res.headersSent ? res.statusCode : HUNG_UP,
    seconds,
    problem,
    limitedBy,
    hasBadCredentials: problem === 'unauthenticated' && state.hasBadCredentials === true,
  };
}
