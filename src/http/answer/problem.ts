import { STATUS_CODES } from 'node:http';
import { DomainError, type ErrorCode, type InputError } from '../../domain/errors.ts';

/** What can be wrong with a request before it means anything to the domain, and what is wrong with us. */
export type DoorCode =
  | 'body_too_large'
  | 'cross_site'
  | 'internal'
  | 'malformed_json'
  | 'invalid_query'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'rate_limited'
  | 'request_aborted'
  | 'unsupported_media_type';

/** The one place where codes become statuses. */
export const STATUS: Readonly<Record<ErrorCode | DoorCode, number>> = {
  bad_cursor: 400,
  invalid_query: 400,
  malformed_json: 400,
  request_aborted: 400,
  unauthenticated: 401,
  account_required: 403,
  account_suspended: 403,
  cross_site: 403,
  email_unverified: 403,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  changed_since: 409,
  email_taken: 409,
  last_admin: 409,
  lost_race: 409,
  name_taken: 409,
  erased: 410,
  precondition_failed: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
  email_invalid: 422,
  invalid_input: 422,
  rate_limited: 429,
  internal: 500,
  database_unavailable: 503,
  identity_provider_unavailable: 503,
  not_ready: 503,
};

/** A request that is refused at the door. */
export class DoorError extends Error {
  override readonly name = 'DoorError';
  readonly code: DoorCode;
  readonly errors: readonly InputError[] | undefined;

  constructor(code: DoorCode, message: string, errors?: readonly InputError[]) {
    super(message);
    this.code = code;
    this.errors = errors;
  }
}

/** A problem as it leaves (RFC 9457). `type` is `about:blank`, so `title` is the status's own; `code` tells kinds apart. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode | DoorCode;
  readonly requestId: string;
  readonly errors?: readonly InputError[];
  /** The kind's own members (RFC 9457, section 3.2), such as the report of an import. */
  readonly [extension: string]: unknown;
}

/** An answer must not grow with the nonsense in a request: so many faults, and so many characters each. */
const MAX_ERRORS = 100;
const MAX_ERROR_LENGTH = 300;

function clipped({ path, message }: InputError): InputError {
  return { path: path.slice(0, MAX_ERROR_LENGTH), message: message.slice(0, MAX_ERROR_LENGTH) };
}

/** What the caller is told of an error: all of a refusal, and nothing of a bug but that there is one. */
export function problemOf(error: unknown, requestId: string): Problem {
  const refusal =
    error instanceof DomainError || error instanceof DoorError
      ? error
      : new DoorError('internal', 'Something went wrong on our side. The request id finds it in the log.');
  const status = STATUS[refusal.code];
  const { errors } = refusal;
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: refusal.message,
    code: refusal.code,
    requestId,
    ...(errors && { errors: errors.slice(0, MAX_ERRORS).map(clipped) }),
    ...(refusal instanceof DomainError && refusal.details),
  };
}
