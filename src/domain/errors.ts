/**
 * Why something could not be done, in the words of the domain. What a code becomes on the outside (an HTTP status,
 * an exit code) is the business of the door that it leaves by.
 */
export type ErrorCode =
  | 'account_required'
  | 'database_unavailable'
  | 'email_invalid'
  | 'not_ready'
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

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
