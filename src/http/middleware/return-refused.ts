import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Middleware } from '../context.ts';
import type { ConsoleCookies } from '../request/console-cookies.ts';
import { CONSOLE_PATH } from '../request/console-path.ts';
import { warnOf } from './problems.ts';

/**
 * Sends a browser that was refused back to the console, with the code of the refusal in the fragment: somebody looks at the answer, and
 * it is no page. A fault of ours is answered as any other. `translate` turns the driver's errors into refusals.
 */
export const returnRefused = (
  translate: (error: unknown) => unknown,
  cookies: ConsoleCookies,
  basePath: string,
): Middleware =>
  async function returnRefused(ctx, next) {
    try {
      await next();
    } catch (thrown) {
      const error = translate(thrown);
      if (!(error instanceof Refusal)) throw error;
      const { code, status } = error;
      ctx.state.problem = code;
      if (code === refusals.unauthenticated.code) ctx.state.hasBadCredentials = true;
      if (status > 500) warnOf(ctx, error, error);
      for (const name of ['WWW-Authenticate', 'Retry-After', 'RateLimit', 'RateLimit-Policy'])
        ctx.remove(name);
      ctx.set('Location', `${basePath}${CONSOLE_PATH}#error=${code}`);
      ctx.set('Set-Cookie', cookies.clearSignIn(ctx.req));
      ctx.body = null;
      // A body that is nothing makes it 204.
      ctx.status = 303;
    }
  };
