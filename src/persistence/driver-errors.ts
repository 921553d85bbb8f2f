import { DriverException } from '@mikro-orm/core';
import { DomainError } from '../domain/errors.ts';

/** Refusals of Node's sockets that mean: nobody there, or no longer. */
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

/** What `pg` and `pg-pool` say of a connection that is gone or could not be had; they carry no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Cannot use a pool after calling end)/;

/**
 * Whether the error means that the database cannot be had now: no connection, a connection lost (SQLSTATE class 08),
 * shutting down or starting (57P), out of connections or memory (53), or a statement that ran out of time (57014).
 */
export function isUnavailable(error: unknown): boolean {
  const cause = rootOf(error);
  if (!(cause instanceof Error)) return false;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return SOCKET_CODES.has(code) || /^(08|53|57P|57014)/.test(code) || DRIVER_MESSAGES.test(cause.message);
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

function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError) return error.errors[0];
  // MikroORM copies the driver's code to its own exception and keeps the driver's as the previous one.
  return error instanceof DriverException ? ((error as { previous?: unknown }).previous ?? error) : error;
}
