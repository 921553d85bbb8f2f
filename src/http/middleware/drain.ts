import type { Middleware } from '../context.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** While the process drains, tells each caller to use a new connection, which another process will accept. */
export const drain = (lifecycle: Lifecycle): Middleware =>
  async function drain(ctx, next) {
    await next();
    // Checked afterwards: draining may have begun during the request.
    if (lifecycle.phase === 'draining') ctx.set('Connection', 'close');
  };
