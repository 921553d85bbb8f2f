import helmet from 'koa-helmet';
import type { Middleware } from '../context.ts';

/** Sets the headers of answers that are data: browsers must not run, frame, sniff or cache them. */
export const securityHeaders = (): Middleware => {
  const headers = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
  return async function securityHeaders(ctx, next) {
    ctx.set('Cache-Control', 'no-store');
    await headers(ctx, next);
  };
};
