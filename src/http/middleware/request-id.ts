import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Middleware } from '../context.ts';

/** Short, and of characters that neither a header nor a log can take amiss. */
const SANE = /^[\w.:/+=-]{1,128}$/;

/** Gives the request an id (the caller's `X-Request-Id` where it is sane), a log that carries it, and answers with it. */
export const requestId = (log: Logger): Middleware =>
  async function requestId(ctx, next) {
    const given = ctx.get('X-Request-Id');
    ctx.state.requestId = SANE.test(given) ? given : randomUUID();
    ctx.state.log = log.child({ requestId: ctx.state.requestId });
    ctx.set('X-Request-Id', ctx.state.requestId);
    await next();
  };
