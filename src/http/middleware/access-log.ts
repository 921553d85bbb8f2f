import type { Logger } from 'pino';
import type { Middleware } from '../context.ts';

/**
 * Logs one line a request. It has the route and not the URL, so that nothing from a path or a query reaches the log.
 */
export const accessLog = (log: Logger): Middleware =>
  async function accessLog(ctx, next) {
    if (!log.isLevelEnabled('info')) return next();
    const start = performance.now();
    await next();
    const { requestId, route, actor, service, credential } = ctx.state;
    log.info(
      {
        requestId,
        method: ctx.method,
        route: route ?? null,
        status: ctx.status,
        durationMs: Math.round((performance.now() - start) * 100) / 100,
        userId: actor?.id ?? null,
        service: service?.name ?? null,
        credential: credential ?? null,
      },
      'request',
    );
  };
