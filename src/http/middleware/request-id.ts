import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Middleware } from '../context.ts';

/** Short, and safe in a header and in a log. */
const VALID = /^[\w.:/+=-]{1,128}$/;

/** Gives the request an id (its own `X-Request-Id` where it is valid) and a log with the id, and answers with the id. */
export const requestId = (log: Logger): Middleware =>
  async function requestId(ctx, next) {
    const given = ctx.get('X-Request-Id');
    ctx.state.requestId = VALID.test(given) ? given : randomUUID();
    ctx.state.log = log.child({ requestId: ctx.state.requestId });
    ctx.set('X-Request-Id', ctx.state.requestId);
    await next();
  };
