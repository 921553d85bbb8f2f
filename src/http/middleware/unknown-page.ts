import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { codedFor } from '../answer/fixed.ts';
import type { ServeConsole } from '../answer/served-console.ts';
import type { Middleware } from '../context.ts';
import { accept, acceptsGzip, prefersHtml } from '../request/accept.ts';
import { CONSOLE_PATH } from '../request/console-path.ts';

/** The path of the console's files: a script or a style sheet that is missing is no page. */
const FILES_PATH = `${CONSOLE_PATH}files/`;

/**
 * Answers a browser at an address below the console where there is no page with the console's own page, which says so. Programs get the
 * refusal. Throws what reading the page throws.
 */
export const unknownPage = (serve: ServeConsole, basePath: string): Middleware => {
  const below = basePath + CONSOLE_PATH;
  const files = basePath + FILES_PATH;
  const answer: Middleware = async (ctx, next) => {
    try {
      await next();
      if (ctx.body === undefined && ctx.status === 404) throw refusals.notFound();
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== refusals.notFound.code) throw error;
      ctx.vary('Accept');
      if (!prefersHtml((types) => accept(ctx, types))) throw error;
      const page = codedFor(acceptsGzip(ctx), (await serve()).pageOf(undefined));
      // The next release may have a page there: no browser keeps that there was none.
      const { ETag: _, 'Cache-Control': __, Vary, ...headers } = page.headers;
      if (Vary !== undefined) ctx.vary(Vary);
      ctx.set(headers);
      ctx.state.problem = error.code;
      ctx.status = 404;
      ctx.body = page.content;
    }
  };
  // Not async: every request passes here.
  return function unknownPage(ctx, next) {
    const { method, path } = ctx;
    const isRead = method === 'GET' || method === 'HEAD';
    const isBelow = path.startsWith(below) && !path.startsWith(files);
    return isRead && isBelow ? answer(ctx, next) : next();
  };
};
