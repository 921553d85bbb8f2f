import type { Middleware } from '../context.ts';

/**
 * One line a request. It names the route and not the URL, so that nothing a caller puts into a path or a query can end
 * up in the log.
 */
export const accessLog = (): Middleware =>
  async function accessLog(ctx, next) {
    const start = performance.now();
    await next();
    const { log, route, actor, service, credential } = ctx.state;
    log.info(
      {
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
