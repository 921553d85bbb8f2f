import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pRetry from 'p-retry';
import { isUnavailable } from './driver-errors.ts';

/** The key of the advisory lock under which a schema is changed: the bytes of `rollcall`. */
const BOOT_LOCK = 0x726f6c6c63616c6cn;

/** The boot lock was somebody else's for as long as one could wait. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld';

  constructor() {
    super('Another process holds the boot lock: it migrates the database.');
  }
}

/** When to give up, and what to say meanwhile. */
export interface BootLockOptions {
  /** Milliseconds of the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  /** Called once for each attempt that has to be repeated. */
  readonly onWait: (reason: Error) => void;
}

/**
 * Does `work` in one transaction while no other process that asks for this lock does the same, and commits it.
 * Returns what `work` returned. Nothing outlives the transaction: a holder that is killed leaves neither a lock nor
 * half of its work. Throws `LockHeld` when the lock could not be had before the deadline, and whatever `work` throws.
 *
 * The lock is one of the transaction, because one of the session would stay behind in a pooler's connection; and it is
 * tried for rather than waited for, because those who wait inside a query would take all of a small pooler's
 * connections from the one that works.
 */
export async function underBootLock<T>(
  orm: MikroORM,
  options: BootLockOptions,
  work: (em: EntityManager) => Promise<T>,
): Promise<T> {
  const attempt = () =>
    orm.em.fork().transactional(async (em) => {
      const [row] = await em.execute<{ granted: boolean }[]>(
        'select pg_try_advisory_xact_lock(?) as granted',
        [BOOT_LOCK],
      );
      if (!row?.granted) throw new LockHeld();
      return work(em);
    });
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    // Always somewhere between the two.
    minTimeout: 150,
    maxTimeout: 300,
    factor: 1,
    randomize: true,
    maxRetryTime: Math.max(0, options.deadline - Date.now()),
    signal: options.signal,
    shouldRetry({ error }) {
      // The work is all or nothing, so a connection lost on the way is one more attempt.
      const again = error instanceof LockHeld || isUnavailable(error);
      if (again) options.onWait(error);
      return again;
    },
  });
}
