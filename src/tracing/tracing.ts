import {
  type Attributes,
  context,
  ProxyTracerProvider,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/** Runs work in a span that is a child of the current one. */
export type InSpan = <T>(name: string, attributes: Attributes, work: () => Promise<T>) => Promise<T>;

/** What is there while nobody has registered a tracer. */
const NOBODY = new ProxyTracerProvider().getDelegate();

/**
 * The tracer of the OpenTelemetry SDK that the operator has loaded before the program; `undefined` without one, so that nothing is
 * created then.
 */
export function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  const isNobody = provider instanceof ProxyTracerProvider && provider.getDelegate() === NOBODY;
  return isNobody ? undefined : provider.getTracer('rollcall');
}

/**
 * How to run work in spans: without a tracer, just the work. So it is in the background too: what a request has begun may run for
 * long after its span has ended, and would be no part of it.
 */
export function spans(tracer: Tracer | undefined): InSpan {
  if (tracer === undefined) return (_name, _attributes, work) => work();
  return (name, attributes, work) => {
    if (!isInSpan()) return work();
    const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes });
    return context.with(trace.setSpan(context.active(), span), async () => {
      try {
        return await work();
      } catch (error) {
        noteFailure(span, error);
        throw error;
      } finally {
        span.end();
      }
    });
  };
}

/** Whether there is a span that is not over. */
export function isInSpan(): boolean {
  return trace.getActiveSpan()?.isRecording() === true;
}

/**
 * Notes the kind of an error. Not its message, which may have values of a statement in it. A refusal by what the caller asked for is
 * no failure of the span.
 */
function noteFailure(span: Span, error: unknown): void {
  const { code, name, status } = Object(error) as { code?: string; name?: string; status?: number };
  span.setAttribute('error.type', code ?? name ?? '_OTHER');
  if (status === undefined || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}
