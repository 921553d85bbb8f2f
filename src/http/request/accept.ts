import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import type { RequestContext } from '../context.ts';

/** The most characters of an `Accept` or an `Accept-Encoding` that is read: matching it takes more than linear time. */
const MAX_ACCEPT_LENGTH = 2_048;

/** Which of these media types the caller prefers; the first by default. Throws `not_acceptable`. */
export function accept(ctx: RequestContext, types: readonly string[]): string {
  const type = ctx.get('Accept').length <= MAX_ACCEPT_LENGTH && ctx.accepts(...types);
  if (!type) throw refusals.notAcceptable(types);
  return type;
}

/** Whether the caller takes answers that are compressed by gzip. */
export function acceptsGzip(ctx: RequestContext): boolean {
  const given = ctx.get('Accept-Encoding');
  return given !== '' && given.length <= MAX_ACCEPT_LENGTH && ctx.acceptsEncodings('gzip') === 'gzip';
}

/** Whether the caller asks for HTML by name, as browsers do: programs accept anything, and look for data. */
export function prefersHtml(accept: (types: readonly string[]) => string): boolean {
  try {
    return accept(['application/json', 'text/html']) === 'text/html';
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
