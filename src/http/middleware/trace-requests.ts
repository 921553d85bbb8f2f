import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Middleware, RequestContext } from '../context.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { loggable, loggablePath } from '../request/loggable.ts';

/**
 * Makes a span of each request, which continues the caller's trace (`traceparent`), and puts the ids into the log of the request. The
 * attributes are those of OpenTelemetry's stable conventions for HTTP servers. Where an instrumentation of `node:http` has made a
 * span already, this one is inside of it.
 */
export const traceRequests = (tracer: Tracer, proxies: Forwarded, basePath: string): Middleware =>
  async function traceRequests(ctx, next) {
    const isInside = trace.getActiveSpan() !== undefined;
    const parent = isInside ? context.active() : propagation.extract(context.active(), ctx.req.headers);
    const kind = isInside ? SpanKind.INTERNAL : SpanKind.SERVER;
    const span = tracer.startSpan(ctx.method, { kind, attributes: attributesOf(ctx, proxies) }, parent);
    const { traceId, spanId } = span.spanContext();
    ctx.state.trace = { trace_id: traceId, span_id: spanId };
    try {
      await context.with(trace.setSpan(parent, span), next);
    } finally {
      finish(span, ctx, basePath);
    }
  };

function attributesOf(
  { method, path, protocol, req, state }: RequestContext,
  proxies: Forwarded,
): Attributes {
  const { address, port } = hostOf(proxies.host(req));
  const userAgent = req.headers['user-agent'];
  return {
    'http.request.method': method,
    'url.scheme': protocol,
    'url.path': loggablePath(path),
    'network.protocol.version': req.httpVersion,
    'client.address': proxies.clientAddress(req),
    ...(address !== undefined && { 'server.address': address }),
    ...(port !== undefined && { 'server.port': Number(port) }),
    ...(userAgent !== undefined && { 'user_agent.original': loggable(userAgent) }),
    'rollcall.request_id': state.requestId,
  };
}

function hostOf(host: string): { address?: string | undefined; port?: string | undefined } {
  const [, address, port] = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(host) ?? [];
  return { address, port };
}

function finish(span: Span, { method, state: { route }, status }: RequestContext, basePath: string): void {
  if (route !== undefined) {
    span.updateName(`${method} ${basePath}${route}`).setAttribute('http.route', basePath + route);
  }
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) span.setAttribute('error.type', `${status}`).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
