import { context, createContextKey, type Link, type SpanContext, trace } from '@opentelemetry/api';
import { isInSpan } from './tracing.ts';

const LINKS = createContextKey('rollcall spans that share a statement');

/** The current span, if it is not over. */
export function currentSpan(): SpanContext | undefined {
  return isInSpan() ? trace.getActiveSpan()?.spanContext() : undefined;
}

/** Runs work that several spans share: the spans of its statements are linked to those of them that are not their parent. */
export function shared<T>(spans: readonly (SpanContext | undefined)[], work: () => T): T {
  const own = currentSpan();
  const links = spans.flatMap((span) => (span && span.spanId !== own?.spanId ? [{ context: span }] : []));
  return links.length === 0 ? work() : context.with(context.active().setValue(LINKS, links), work);
}

/** The links of a statement that is sent now. */
export function currentLinks(): Link[] {
  return (context.active().getValue(LINKS) as Link[] | undefined) ?? [];
}
