import { IsolationLevel } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pRetry from 'p-retry';
import { isUnavailable } from './driver-errors.ts';

/** The key of the boot lock, an advisory lock: the bytes of `rollcall`. */
const BOOT_LOCK = 0x726f6c6c63616c6cn;

// Migrating takes as long as it takes, whatever limits a database or a role has. Older servers do not know the last one.
const LOCK = `
  select pg_try_advisory_xact_lock(?) as granted,
         set_config('statement_timeout', ?, true), set_config('lock_timeout', ?, true), count(set_config(name, '0', true))
    from unnest(array['idle_in_transaction_session_timeout', 'transaction_timeout']) as name
   where current_setting(name, true) is not null`;

/** Another process held the boot lock until the deadline. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld';

  constructor() {
    super('Another process holds the boot lock: it is migrating the database.');
  }
}

/** When to give up, and who is told meanwhile. */
export interface BootLockOptions {
  /** Milliseconds of the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  /** Called for each attempt that has to be repeated. */
  readonly onWait: (reason: Error) => void;
  /** Called when the work has the lock. */
  readonly onGranted?: () => void;
  /** The server's limit for each statement of the work; none by default. */
  readonly statementTimeoutMs?: number;
  /**
   * How long the work waits for each single lock, the boot lock included, in place of the deadline. Default: until the deadline for
   * the boot lock, without a limit for the others.
   */
  readonly lockWaitMs?: number;
}

/**
 * Runs `work` in one transaction under the boot lock, commits, and returns the result. Nothing outlives the transaction: a
 * killed holder leaves neither a lock nor partial work. Throws `LockHeld` after the deadline, and what `work` throws.
 *
 * The lock belongs to the transaction, because a session's lock would stay behind in a pooler's connection. It is tried, not
 * waited for, because processes that wait inside a query could take all connections of a small pooler from the holder.
 */
export async function underBootLock<T>(
  orm: MikroORM,
  options: BootLockOptions,
  work: (em: EntityManager) => Promise<T>,
): Promise<T> {
  const attempt = () =>
    orm.em.fork().transactional(
      async (em) => {
        const [row] = await em.execute<{ granted: boolean }[]>(LOCK, [
          BOOT_LOCK,
          String(options.statementTimeoutMs ?? 0),
          String(options.lockWaitMs ?? 0),
        ]);
        if (!row?.granted) throw new LockHeld();
        options.onGranted?.();
        return work(em);
      },
      // Others keep a snapshot until they end, and an index built CONCURRENTLY would wait for it.
      { isolationLevel: IsolationLevel.READ_COMMITTED },
    );
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    // Each pause is between the two.
    minTimeout: 150,
    maxTimeout: 300,
    factor: 1,
    randomize: true,
    maxRetryTime: options.lockWaitMs ?? Math.max(0, options.deadline - Date.now()),
    signal: options.signal,
    shouldRetry({ error }) {
      // The work is all or nothing, so it can be repeated after a lost connection.
      const again = error instanceof LockHeld || isUnavailable(error);
      if (again) options.onWait(error);
      return again;
    },
  });
}
