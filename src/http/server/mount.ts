import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { refusals } from '../../domain/refusals.ts';
import { problemOf } from '../answer/problem.ts';
import type { GracefulClose } from './graceful-close.ts';
import type { Lifecycle } from './lifecycle.ts';

/** Passes a request on, or an error. */
type Next = (error?: unknown) => unknown;

/** The part of Koa's context that a mounted application uses. */
interface HostContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The URL as it came: what mounts something in Koa changes that of the request. */
  readonly originalUrl?: string | undefined;
  respond?: boolean | undefined;
}

/** An application in a server of somebody else. */
export interface Mount {
  /** For `node:http`, and for frameworks that call `(request, response, next)`. Without `next`, it answers what is outside of the path too. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: Next) => void;
  /** For Koa. */
  readonly middleware: (context: HostContext, next: () => Promise<unknown>) => Promise<void>;
  /** Waits for the requests in flight, and cuts those off that take longer. Returns whether all ended by themselves. */
  readonly close: GracefulClose;
}

/**
 * Mounts an application at its base path: it answers the requests under that, and passes on the others. Once it drains, it refuses what
 * still comes.
 */
export function mount(basePath: string, answer: RequestListener, lifecycle: Lifecycle): Mount {
  const inFlight = new Set<ServerResponse>();
  const serve = (request: IncomingMessage, response: ServerResponse, url = request.url ?? '') => {
    // The caller has hung up while others had the request.
    if (response.closed) return;
    if (lifecycle.phase === 'draining') return refuse(response);
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
    // Koa keeps a parsed URL there, in which it has changed the path.
    Object.assign(request, { url, _parsedUrl: undefined });
    answer(request, response);
  };
  return {
    handler(request, response, next) {
      const url = urlUnder(basePath, request);
      if (next !== undefined && url === undefined) return void next();
      if (isBodyRead(request)) {
        if (next === undefined) throw bodyIsRead(request);
        return void next(bodyIsRead(request));
      }
      serve(request, response, url ?? originalUrlOf(request));
    },
    async middleware(context, next) {
      const { req, res, originalUrl } = context;
      const url = urlUnder(basePath, req, originalUrl);
      if (url === undefined) {
        await next();
        return;
      }
      if (isBodyRead(req)) throw bodyIsRead(req);
      // Koa would answer at the end of its own middleware.
      context.respond = false;
      const closed = res.closed ? undefined : once(res, 'close');
      serve(req, res, url);
      await closed;
    },
    async close(timeoutMs) {
      let cut = false;
      const tooLong = setTimeout(() => {
        cut = true;
        for (const { socket } of inFlight) socket?.destroy();
      }, timeoutMs);
      await Promise.all([...inFlight].map((response) => once(response, 'close')));
      clearTimeout(tooLong);
      return !cut;
    },
  };
}

/** What a proxy may write in front of a path (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?]*/i;

/**
 * The URL of a request that is the base path or under it. Frameworks take the path away that they have mounted something at, and keep the
 * URL as it came, in the request or in `context`; an application may have given the request another one.
 */
function urlUnder(basePath: string, request: IncomingMessage, context?: string): string | undefined {
  return [originalUrlOf(request), context, request.url].find((url) => {
    const path = url?.replace(ORIGIN, '').split('?', 1)[0];
    return path === basePath || path?.startsWith(`${basePath}/`);
  });
}

/** The URL as Express and Connect have got it. */
function originalUrlOf(request: IncomingMessage): string | undefined {
  return (request as { originalUrl?: string }).originalUrl;
}

/** Whether somebody has read the body, which can be read only once. */
function isBodyRead({ headers, readableDidRead }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
  return hasBody && readableDidRead;
}

function bodyIsRead({ method, url }: IncomingMessage): Error {
  return new Error(
    `The body of ${method} ${url?.replace(/\?.*$/, '')} was read before Rollcall could: put Rollcall in front of what parses bodies.`,
  );
}

/** The server goes on, but nobody here does. */
function refuse(response: ServerResponse): void {
  const problem = problemOf(refusals.notReady('draining'), randomUUID());
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    Connection: 'close',
    'Retry-After': '1',
    'X-Request-Id': problem.requestId,
  });
  response.end(JSON.stringify(problem));
}
