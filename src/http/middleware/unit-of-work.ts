import type { UnitOfWork, UnitOptions } from '../../store/unit.ts';
import type { Middleware } from '../context.ts';

/** Methods that change nothing (RFC 9110, section 9.2.1). */
export const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Runs each request as one unit of work: `inside` runs in it, from the start in each replay, and the later middleware runs after
 * the commit.
 */
export const unitOfWork = (
  inUnit: UnitOfWork,
  inside: Middleware,
  options: Pick<UnitOptions, 'waitsForLocks'> = {},
): Middleware =>
  async function unitOfWork(ctx, next) {
    await inUnit(
      async (unit) => {
        ctx.state.unit = unit;
        await inside(ctx, async () => undefined);
      },
      { ...options, readOnly: SAFE_METHODS.has(ctx.method) },
    );
    return next();
  };
