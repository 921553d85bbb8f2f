import { STATUS_CODES } from 'node:http';
import { type InputError, Refusal } from '../../domain/refusal.ts';
import { type RefusalCode, refusals } from '../../domain/refusals.ts';

/** A problem as it leaves (RFC 9457). `type` is `about:blank`, so `title` is the status's own; `code` tells kinds apart. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: RefusalCode;
  readonly requestId: string;
  readonly errors?: readonly InputError[];
  /** The kind's own members (RFC 9457, section 3.2), such as the report of an import. */
  readonly [extension: string]: unknown;
}

/** An answer must not grow with the nonsense in a request: the most faults, and the most characters of each. */
const MAX_ERRORS = 100;
const MAX_ERROR_LENGTH = 300;

/** The problem that tells the caller about an error: all of a refusal, and nothing of a bug but that there is one. */
export function problemOf(error: unknown, requestId: string): Problem {
  const { status, code, message, errors, details } = error instanceof Refusal ? error : refusals.internal();
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code,
    requestId,
    ...(errors && { errors: errors.slice(0, MAX_ERRORS).map(clipped) }),
    ...details,
  };
}

function clipped({ path, message }: InputError): InputError {
  return { path: path.slice(0, MAX_ERROR_LENGTH), message: message.slice(0, MAX_ERROR_LENGTH) };
}
