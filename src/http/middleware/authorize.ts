import { DomainError } from '../../domain/errors.ts';
import type { Middleware } from '../context.ts';

/** Lets admins pass. */
export const authorize = (): Middleware =>
  async function authorize(ctx, next) {
    if (!ctx.state.actor?.isActiveAdmin()) throw new DomainError('forbidden', 'This is for admins.');
    await next();
  };
