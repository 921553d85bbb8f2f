import { type Attributes, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { StatementObserver } from '../database/pipelined-client.ts';
import { queryText } from './query-text.ts';
import { currentLinks } from './shared.ts';
import { isInSpan } from './tracing.ts';

/** The semantic conventions of the database spans are those of OpenTelemetry 1.33, where they became stable. */
const SYSTEM = { 'db.system.name': 'postgresql' };

/** What opens a transaction with the first statement in it. */
const OPENING = /^(?:begin|start transaction)[\w ]*;\s*/i;

/**
 * Makes a span of each message with a statement that is sent while a request is served. Statements that several requests share
 * belong to the first of them, and are linked to the others.
 */
export function statementSpans(tracer: Tracer): StatementObserver {
  return ({ name, text, isParameterized, client }) => {
    if (!isInSpan()) return undefined;
    const operation = operationOf(text);
    const attributes: Attributes = {
      ...SYSTEM,
      'db.namespace': client.database ?? '',
      'db.operation.name': operation,
      'db.query.text': queryText(text, isParameterized),
      ...(name !== undefined && { 'db.query.summary': name }),
      'server.address': client.host,
      'server.port': client.port,
    };
    const span = tracer.startSpan(name ?? operation, {
      kind: SpanKind.CLIENT,
      attributes,
      links: currentLinks(),
    });
    return (error) => {
      if (error !== undefined) {
        const { code } = error as { code?: string };
        if (code !== undefined) span.setAttribute('db.response.status_code', code);
        span.setAttribute('error.type', code ?? error.name).setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    };
  };
}

/** The first keyword, past what opens a transaction and past `WITH`: `SELECT`. */
function operationOf(text: string): string {
  const [keyword = ''] = /[a-z]+/i.exec(text.replace(OPENING, '') || text) ?? [];
  if (!/^with$/i.test(keyword)) return keyword.toUpperCase();
  const [, change = 'SELECT'] = /\b(?<!\b(?:for|key) )(insert|update|delete)\b/i.exec(text) ?? [];
  return change.toUpperCase();
}
