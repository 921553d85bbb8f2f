import { faultOfReason } from '../../domain/reason.ts';
import { refusals } from '../../domain/refusals.ts';
import type { RequestContext } from '../context.ts';
import { countFields } from './fields.ts';

/**
 * The header with the reason of a write, which the history keeps: percent-encoded UTF-8 (RFC 3986, section 2.1), because browsers send
 * no other letters in a header.
 */
export const REASON = 'Rollcall-Reason';

const HEADER = REASON.toLowerCase();

/** The reason that came with a write; `null` without one. Throws `reason_invalid`. */
export function reasonOf({ req }: RequestContext): string | null {
  const given = req.headers[HEADER];
  if (typeof given !== 'string') return null;
  if (countFields(req, HEADER) > 1) throw refusals.reasonInvalid('must be given once');
  const reason = decoded(given);
  const fault =
    reason === undefined ? 'must be percent-encoded UTF-8: write % as %25' : faultOfReason(reason);
  if (reason === undefined || fault !== undefined) throw refusals.reasonInvalid(fault);
  return reason;
}

function decoded(text: string): string | undefined {
  // A letter beyond ASCII has lost its encoding on the way.
  if (/[^ -~\t]/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
