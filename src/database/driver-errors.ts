import { DriverException, OptimisticLockError } from '@mikro-orm/core';
import { Refusal } from '../domain/refusal.ts';
import { refusals } from '../domain/refusals.ts';
import type { Right } from '../domain/right.ts';

/** System call and code: any error of a call that connects; of calls that files have too, only a connection's errors. */
const SOCKET_ERROR = /^(connect|getaddrinfo) |^(read|write) (ECONNRESET|EPIPE|ETIMEDOUT)$/;

/** Messages of `pg` and `pg-pool` about a connection that is lost or could not be opened; they carry no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout e|Client has encountered a connection error|Query read timeout|Cannot use a pool after calling end)/;

/**
 * Whether the error, or its cause, means that the database is unavailable: no connection, a lost connection (SQLSTATE class
 * 08), shutting down or starting (57P), out of connections or memory (53), a standby that refuses writes (25006), or a statement
 * timeout (57014).
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const { code = '', syscall = '' } = error as { code?: string; syscall?: string };
  return (
    SOCKET_ERROR.test(`${syscall} ${code}`) ||
    /^(08|53|57P|57014|25006)/.test(code) ||
    DRIVER_MESSAGES.test(error.message) ||
    isUnavailable(error.cause)
  );
}

/** The message of `pg-pool` where no connection became free in time. */
const POOL_TIMEOUT = 'timeout exceeded when trying to connect';

/** The error of `pg-pool` where no connection became free in time, for those that wait for one before they ask the pool. */
export function poolTimeout(): Error {
  return new Error(POOL_TIMEOUT);
}

/** Whether no connection was free: the pool's were all in use for too long, or the server has as many as it may (53300). */
export function isCrowded(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message === POOL_TIMEOUT || ('code' in error && error.code === '53300');
}

/** Whether a statement did not get a lock in time. */
export function isLockTimeout(error: unknown): boolean {
  // lock_not_available.
  return error instanceof Error && 'code' in error && error.code === '55P03';
}

/** Whether the database may be well all the same: it is slow, a lock is in the way, or others have all of its connections. */
export function isSlow(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return isLockTimeout(error) || code === '57014' || code.startsWith('53');
}

/** Whether work failed only because of concurrent work: repeated, it may succeed. */
export function hasLostRace(error: unknown): boolean {
  if (error instanceof OptimisticLockError) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // serialization_failure and deadlock_detected.
  return code === '40001' || code === '40P01';
}

/** The refusal that the violation of a constraint stands for: the constraint decides, nobody asks beforehand. */
const VIOLATIONS: Readonly<Record<string, () => Refusal>> = {
  users_email_unique: refusals.emailTaken,
  service_tokens_name_unique: refusals.nameTaken,
  users_email_normalized: refusals.emailInvalid,
  // Deleted since it was found. Whoever opens a session locks the account before.
  console_codes_account_id_foreign: () => refusals.notFound('such account'),
};

/** The same for the table and the columns of a duplicate: an operator's own index may have any name. */
const DUPLICATES: Readonly<Record<string, () => Refusal>> = {
  'users(email)': refusals.emailTaken,
  'users(lower(email))': refusals.emailTaken,
  'service_tokens(name)': refusals.nameTaken,
};

/** The table of somebody else that points at what was deleted: foreign_key_violation, and restrict_violation of PostgreSQL 18. */
function referringTable(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', table } = error as { code?: string; table?: string };
  return code === '23503' || code === '23001' ? table : undefined;
}

/**
 * Translates a driver's error into a refusal. Refusals and bugs are returned as they are. With a right to the author's own
 * account alone, the refusal does not name the app's tables.
 */
export function toRefusal(error: unknown, right: Right | null = null): unknown {
  if (error instanceof Refusal) return error;
  if (isUnavailable(error)) return refusals.databaseUnavailable(error);
  if (hasLostRace(error)) return refusals.lostRace(error);
  if (isLockTimeout(error)) return refusals.lockTimeout(error);
  const violation =
    error instanceof DriverException
      ? (VIOLATIONS[constraintOf(error)] ?? DUPLICATES[duplicateOf(error)])
      : undefined;
  if (violation !== undefined) return violation();
  const table = referringTable(error);
  if (table === undefined) return error;
  const isOwn = right !== null && 'accountId' in right && !right.asAdmin;
  return isOwn ? refusals.ownAccountInUse() : refusals.accountInUse(table);
}

function constraintOf(error: DriverException): string {
  return (error as { constraint?: string }).constraint ?? '';
}

/** The table and the columns of a duplicate, as in `users(email)`. The words of the detail depend on `lc_messages`. */
function duplicateOf(error: DriverException): string {
  const { code, table = '', detail = '' } = error as { code?: string; table?: string; detail?: string };
  const [, columns = ''] = /\((.+?)\)=\(/.exec(detail) ?? [];
  return code === '23505' ? `${table}(${columns.replaceAll('::text', '')})` : '';
}
