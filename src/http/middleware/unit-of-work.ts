import type { UnitOfWork, UnitOptions } from '../../store/unit.ts';
import type { Middleware } from '../context.ts';

/** Methods that promise to change nothing (RFC 9110, section 9.2.1). */
export const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Makes of each request one unit of work: `inside` is done in it, from the start for each time that the unit is replayed,
 * and when this station is left, the unit has been committed.
 */
export const unitOfWork = (inUnit: UnitOfWork, inside: Middleware, options: UnitOptions = {}): Middleware =>
  async function unitOfWork(ctx, next) {
    await inUnit(
      async (unit) => {
        ctx.state.unit = unit;
        await inside(ctx, async () => undefined);
      },
      { ...options, readOnly: SAFE_METHODS.has(ctx.method) },
    );
    await next();
  };
