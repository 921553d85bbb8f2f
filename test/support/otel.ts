import { writeSync } from 'node:fs';
import { NodeTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-node';

/** Preloaded into a server: an SDK that prints each span as a line of JSON. */
const exporter: SpanExporter = {
  export(spans, done) {
    for (const span of spans) {
      const { name, kind, attributes, status, links, parentSpanContext } = span;
      const { traceId, spanId } = span.spanContext();
      const parentId = parentSpanContext?.spanId;
      const line = {
        msg: 'span',
        name,
        kind,
        attributes,
        status: status.code,
        traceId,
        spanId,
        parentId,
        links: links.map(({ context }) => context.spanId),
      };
      writeSync(1, `${JSON.stringify(line)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: async () => undefined,
};

new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
