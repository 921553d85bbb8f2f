/**
 * Why something could not be done, in the words of the domain. What a code becomes on the outside (an HTTP status,
 * an exit code) is the business of the door that it leaves by.
 */
export type ErrorCode =
  | 'account_required'
  | 'account_suspended'
  | 'bad_cursor'
  | 'changed_since'
  | 'database_unavailable'
  | 'email_invalid'
  | 'email_taken'
  | 'email_unverified'
  | 'erased'
  | 'forbidden'
  | 'identity_provider_unavailable'
  | 'invalid_input'
  | 'last_admin'
  | 'lost_race'
  | 'name_taken'
  | 'not_found'
  | 'not_ready'
  | 'precondition_failed'
  | 'unauthenticated';

/** Where in the input a fault lies (a path of keys, such as `preferences.theme`), and what it is. */
export interface InputError {
  readonly path: string;
  readonly message: string;
}

/** A refusal that the caller may be told about: `message` is written for them and holds no secret. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  /** What is wrong with the input, part by part, where the input is at fault. */
  readonly errors: readonly InputError[] | undefined;
  /** What else there is to tell, by name. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      cause?: unknown;
      errors?: readonly InputError[];
      details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.errors = options.errors;
    this.details = options.details;
  }
}
