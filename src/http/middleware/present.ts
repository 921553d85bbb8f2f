import type { Middleware } from '../context.ts';

/**
 * Shows what the handler returned, after the unit of work behind this station has been committed: what is shown is what
 * is kept.
 */
export const present = (): Middleware =>
  async function present(ctx, next) {
    await next();
    if (ctx.state.view) ctx.body = ctx.state.view();
  };
