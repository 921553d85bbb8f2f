import type { Middleware } from '../context.ts';

/**
 * Shows what the handler returned, after the unit of work behind this station has been committed: what is shown is what
 * is kept.
 */
export const present = (): Middleware =>
  async function present(ctx, next) {
    await next();
    if (ctx.state.view === undefined) return;
    ctx.type = 'application/json';
    // Here and not in Koa, which would do it behind our back: what cannot be shown must fail where errors are answered.
    ctx.body = JSON.stringify(ctx.state.view());
  };
