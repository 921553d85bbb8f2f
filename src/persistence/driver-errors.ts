import { DomainError } from '../domain/errors.ts';

/** The system calls of a connection: an error of another one is not the database's. */
const SOCKET_CALLS = new Set(['connect', 'getaddrinfo', 'read', 'write']);

/** What `pg` and `pg-pool` say of a connection that is gone or could not be had; they carry no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout e|Client has encountered a connection error|Query read timeout|Cannot use a pool after calling end)/;

/**
 * Whether the error, or what caused it, means that the database cannot be had now: no connection, a connection lost
 * (SQLSTATE class 08), shutting down or starting (57P), out of connections or memory (53), or a statement that ran out
 * of time (57014).
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const { code = '', syscall = '' } = error as { code?: string; syscall?: string };
  return (
    SOCKET_CALLS.has(syscall) ||
    /^(08|53|57P|57014)/.test(code) ||
    DRIVER_MESSAGES.test(error.message) ||
    isUnavailable(error.cause)
  );
}

/**
 * The driver's refusals in the words of the domain. What is no refusal but a bug is thrown back as it came.
 */
export function toDomainError(error: unknown): unknown {
  if (isUnavailable(error)) {
    return new DomainError('database_unavailable', 'The database cannot be reached at the moment.', {
      cause: error,
    });
  }
  return error;
}
