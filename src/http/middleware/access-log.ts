import type { Logger } from 'pino';
import type { Middleware, RequestContext } from '../context.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { loggable, loggablePath } from '../request/loggable.ts';

/** A request in the access log. */
export interface AccessLine {
  readonly requestId: string;
  /** The `X-Request-Id` that came, where it could not be the request's id. */
  readonly clientRequestId?: string;
  /** The span, where requests are traced. */
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly method: string | null;
  /** The path of the endpoint, with its parameters as `:name`; `null` where none matched. */
  readonly route: string | null;
  readonly path: string | null;
  readonly status: number;
  readonly durationMs: number | null;
  /** Of the answer's body. */
  readonly bytes: number;
  /** The client's address, as far as trusted proxies tell it. */
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly userId: number | null;
  /** The name of a service token. */
  readonly service: string | null;
  readonly credential: string | null;
  /** Why the request could not be read. */
  readonly reason?: string | undefined;
}

/** Writes a line of the access log. */
export function logAccess(log: Logger, line: AccessLine, level: 'info' | 'debug' = 'info'): void {
  log[level](line, 'request');
}

/**
 * Logs one line a request, when its answer is complete; a probe that succeeded at `debug`. What the client made up is bounded and
 * masked (`loggable.ts`), and nothing of a query, a body or a credential reaches the log.
 */
export const accessLog = (processLog: Logger, proxies: Forwarded): Middleware => {
  // A line has no headers. To look for them takes longer than all the rest of it.
  const log = processLog.child({}, { redact: [] });
  return async function accessLog(ctx, next) {
    if (!log.isLevelEnabled('info')) return next();
    const start = performance.now();
    // A connection that is gone by the end has no address.
    const { remoteAddress } = ctx.req.socket;
    await next();
    const { requestId, clientRequestId, trace, route, isProbe, actor, service, credential } = ctx.state;
    const level = isProbe && ctx.status < 400 ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return;
    const userAgent = ctx.get('User-Agent');
    const line = {
      requestId,
      ...(clientRequestId !== undefined && { clientRequestId }),
      ...trace,
      method: ctx.method,
      route: route ?? null,
      path: loggablePath(ctx.path),
      status: ctx.status,
      durationMs: Math.round((performance.now() - start) * 100) / 100,
      bytes: bytesOf(ctx),
      address: proxies.clientAddress(ctx.req, remoteAddress) || null,
      userAgent: userAgent === '' ? null : loggable(userAgent),
      userId: actor?.id ?? null,
      service: service?.name ?? null,
      credential: credential ?? null,
    };
    logAccess(log, line, level);
  };
};

function bytesOf({ state, method, length, writable }: RequestContext): number {
  if (state.streamedBytes !== undefined) return state.streamedBytes;
  return method === 'HEAD' || !writable ? 0 : (length ?? 0);
}
