import { DriverException, OptimisticLockError } from '@mikro-orm/core';
import { DomainError } from '../domain/errors.ts';

/** System call and code: any error of the calls that connect; of those that files have too, a connection's own. */
const SOCKET_ERROR = /^(connect|getaddrinfo) |^(read|write) (ECONNRESET|EPIPE|ETIMEDOUT)$/;

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
    SOCKET_ERROR.test(`${syscall} ${code}`) ||
    /^(08|53|57P|57014)/.test(code) ||
    DRIVER_MESSAGES.test(error.message) ||
    isUnavailable(error.cause)
  );
}

/** Whether the work has failed only because others did theirs at the same time: done again, it may well succeed. */
export function hasLostRace(error: unknown): boolean {
  if (error instanceof OptimisticLockError) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // serialization_failure and deadlock_detected.
  return code === '40001' || code === '40P01';
}

/** What the violation of a constraint means; the constraint decides, and nobody asks beforehand. */
const VIOLATIONS: Readonly<Record<string, () => DomainError>> = {
  users_email_unique: () => new DomainError('email_taken', 'There is an account with this email already.'),
  service_tokens_name_unique: () =>
    new DomainError('name_taken', 'There is or was a service token with this name.'),
  users_email_normalized: () => new DomainError('email_invalid', 'This is not an email address.'),
};

/**
 * The driver's refusals in the words of the domain. What is no refusal but a bug is thrown back as it came, and so is what
 * has been put into these words already, whatever caused it.
 */
export function toDomainError(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  if (isUnavailable(error)) {
    return new DomainError('database_unavailable', 'The database cannot be reached at the moment.', {
      cause: error,
    });
  }
  if (hasLostRace(error)) {
    return new DomainError('lost_race', 'Others changed the same at the same time. Try it again.', {
      cause: error,
    });
  }
  const violation = error instanceof DriverException ? VIOLATIONS[constraintOf(error)] : undefined;
  return violation?.() ?? error;
}

function constraintOf(error: DriverException): string {
  return (error as { constraint?: string }).constraint ?? '';
}
