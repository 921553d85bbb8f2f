import type { Middleware } from '../context.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** While the process drains, tells each caller to come back on a new connection, which will be another process's. */
export const drain = (lifecycle: Lifecycle): Middleware =>
  async function drain(ctx, next) {
    await next();
    // Asked afterwards: the draining may have begun while the request was on its way.
    if (lifecycle.phase === 'draining') ctx.set('Connection', 'close');
  };
