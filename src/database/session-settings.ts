import type pg from 'pg';
import type { ConnectionMode } from './connection.ts';
import { quoteIdentifier } from './quote-identifier.ts';

/** The largest integer of PostgreSQL's settings. */
export const MAX_SETTING = 2 ** 31 - 1;

/** What every pooler passes on to the server. */
const TRACKED = {
  // Times come back as text, and the driver reads this form alone.
  DateStyle: 'ISO, MDY',
  // Old times of other zones have seconds in their offsets.
  TimeZone: 'UTC',
  // The ORM writes values into statements, and escapes quotes alone.
  standard_conforming_strings: 'on',
} as const;

/** What statements rely on beyond that, and a database or a role may set otherwise. */
const RELIED_ON = {
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  transform_null_equals: 'off',
  quote_all_identifiers: 'off',
  // Beyond it, GIN indexes return a random part of what they find.
  gin_fuzzy_search_limit: '0',
  // With a snapshot that lasts, an index built CONCURRENTLY would wait for the boot lock's own transaction.
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
} as const;

/**
 * How often a server looks whether the client of a running statement is still there: without it, a write that waits for a lock
 * would be carried out after its request has failed. PostgreSQL has it from 14 on, and not on every platform.
 */
const CHECK_INTERVAL = 'client_connection_check_interval';
const CHECK_INTERVAL_MS = '1000';

/** How long a session may be idle. PostgreSQL has it from 14 on, and a server refuses connections with settings unknown to it. */
export const IDLE_TIMEOUT = 'idle_session_timeout';

/** How long a transaction may take. PostgreSQL has it from 17 on. */
export const TRANSACTION_TIMEOUT = 'transaction_timeout';

/** Whether the server of this session can check its clients; it does from then on. */
export function canCheckClients(client: pg.Client): Promise<boolean> {
  return client.query(`set ${CHECK_INTERVAL} = ${CHECK_INTERVAL_MS}`).then(
    () => true,
    () => false,
  );
}

/** The session settings that must have these values, however they came about. */
export const REQUIRED = { ...TRACKED, ...RELIED_ON } as const;

/** What the startup settings depend on. */
export interface SessionNeeds {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly searchPath: readonly string[] | undefined;
  /** Whether the server can look whether a client is still there. */
  readonly checksClients: boolean;
  /** Whether the server can end sessions that are idle. */
  readonly endsIdle: boolean;
  /** Whether the server can end transactions that take long. */
  readonly endsTransactions: boolean;
}

/** The settings that a connection begins with: those of the database and the role count for nothing else that matters. */
export function startupSettings(
  mode: ConnectionMode,
  { statementTimeoutMs, lockTimeoutMs, searchPath, checksClients, endsIdle, endsTransactions }: SessionNeeds,
): Record<string, string> {
  // A pooler refuses what it does not track.
  if (mode === 'pooled') return { ...TRACKED };
  return {
    ...REQUIRED,
    lock_timeout: String(lockTimeoutMs),
    statement_timeout: String(statementTimeoutMs),
    // A process that stalls inside a transaction must not lock its rows for ever.
    idle_in_transaction_session_timeout: String(Math.min(3 * statementTimeoutMs, MAX_SETTING)),
    ...(checksClients && { [CHECK_INTERVAL]: CHECK_INTERVAL_MS }),
    // The pool decides how long it keeps connections, and the listener waits for changes.
    ...(endsIdle && { [IDLE_TIMEOUT]: '0' }),
    // Each statement has a limit, and an import as many statements as it needs.
    ...(endsTransactions && { [TRANSACTION_TIMEOUT]: '0' }),
    ...(searchPath && { search_path: searchPath.map(quoteIdentifier).join(', ') }),
  };
}
