import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Middleware, RequestState } from '../context.ts';
import { hasToken, loggable } from '../request/loggable.ts';

/** The most characters of an id. */
const MAX_LENGTH = 128;

/** Safe in a header and in a log. */
const VALID = /^[\w.:/+=-]+$/;

/**
 * Gives the request an id (its own `X-Request-Id` where it is valid) and a log with the id, and answers with the id. An id of its own
 * that is not valid is kept for the access log. A token is not: it would be in the log and in the history.
 */
export const requestId = (log: Logger): Middleware =>
  function requestId(ctx, next) {
    const given = ctx.get('X-Request-Id');
    const isValid = given.length <= MAX_LENGTH && VALID.test(given) && !hasToken(given);
    const id = isValid ? given : randomUUID();
    ctx.state = new IdentifiedState(id, log) as Partial<RequestState> as RequestState;
    if (!isValid && given !== '') ctx.state.clientRequestId = loggable(given, MAX_LENGTH);
    ctx.res.setHeader('X-Request-Id', id);
    return next();
  };

/** The state that a request begins with. Most requests need no log of their own, which takes longer to make than to look up. */
class IdentifiedState implements Pick<RequestState, 'requestId' | 'log'> {
  readonly requestId: string;
  declare trace?: RequestState['trace'];
  readonly #processLog: Logger;
  #log: Logger | undefined;

  constructor(requestId: string, processLog: Logger) {
    this.requestId = requestId;
    this.#processLog = processLog;
  }

  get log(): Logger {
    this.#log ??= this.#processLog.child({ requestId: this.requestId, ...this.trace });
    return this.#log;
  }
}
