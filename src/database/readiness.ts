import { refusals } from '../domain/refusals.ts';
import type { ConnectionMode, DatabaseSettings } from './connection.ts';
import { isLockTimeout, isSlow, isUnavailable } from './driver-errors.ts';
import { LEDGER } from './ledger-name.ts';
import { sideConnection } from './side-connection.ts';
import { ReadOnlyStandby } from './standby.ts';
import { within } from './within.ts';

/** The times of a readiness check, in milliseconds. */
export interface ReadinessTimes {
  /** How long an answer is good for all who ask. */
  readonly freshMs: number;
  /** How long one who asks waits for another answer. */
  readonly patienceMs: number;
  /** For how long the last good answer counts, while the database is slow or its ledger locked, and not known to be gone. */
  readonly graceMs: number;
}

const TIMES: ReadinessTimes = { freshMs: 1_000, patienceMs: 2_000, graceMs: 10_000 };

/** How long the check waits for the lock of the ledger, in milliseconds. */
const LOCK_MS = 500;

/** Whether the database can serve. */
export interface Readiness {
  /**
   * The migrations that the database lacks. Throws an error that counts as unavailable where the database cannot be reached or
   * is a standby, and `not_ready` where its ledger stays locked.
   */
  pending(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The database has not answered in time. The code is that of a statement that took too long. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly code = '57014';
}

/**
 * Creates the readiness check. It has a connection of its own, so that probes never wait for those of requests, or take them. All
 * who ask within a second share one answer; a connection that breaks makes the next one ask again.
 */
export function readinessCheck(
  database: DatabaseSettings,
  mode: ConnectionMode,
  known: readonly string[],
  times: Partial<ReadinessTimes> = {},
): Readiness {
  const { freshMs, patienceMs, graceMs } = { ...TIMES, ...times };
  let running: Promise<readonly string[]> | undefined;
  let good: { readonly at: number; readonly pending: readonly string[] } | undefined;
  let bad: { readonly at: number; readonly error: unknown } | undefined;
  // The statement sets a limit itself: the driver's would count what the event loop was late.
  const side = sideConnection({ ...database, statementTimeoutMs: 0 }, mode, {
    name: 'rollcall readiness',
    onLost() {
      good = undefined;
    },
  });

  const ask = async () => {
    try {
      const [row] = await inTime(graceMs, side.ask<Answer>({ text: question(graceMs), values: [] }));
      if (row?.isReadOnly) throw new ReadOnlyStandby();
      return row?.applied ?? [];
    } catch (error) {
      // Whatever its state is, the next check does better with another one.
      if (isUnavailable(error)) side.forget();
      throw error;
    }
  };
  const check = async () => {
    try {
      const applied = new Set(await ask());
      const pending = known.filter((name) => !applied.has(name));
      good = { at: performance.now(), pending };
      bad = undefined;
      return pending;
    } catch (error) {
      if (!isSlow(error)) good = undefined;
      bad = { at: performance.now(), error };
      throw error;
    }
  };
  /** Returns the last good answer while it counts, and throws why there is no newer one afterwards. */
  const lastAnswer = (error: unknown) => {
    if (isSlow(error) && good !== undefined && performance.now() - good.at < graceMs) return good.pending;
    throw isLockTimeout(error) ? refusals.migrationsLocked(error) : error;
  };

  return {
    async pending() {
      const since = performance.now() - freshMs;
      if (bad !== undefined && bad.at > since) return lastAnswer(bad.error);
      if (good !== undefined && good.at > since) return good.pending;
      running ??= check().finally(() => {
        running = undefined;
      });
      running.catch(() => undefined);
      return inTime(patienceMs, running).catch(lastAnswer);
    },
    close: side.close,
  };
}

interface Answer {
  readonly isReadOnly: boolean;
  readonly applied: readonly string[];
}

/** The statements that name the applied migrations, in one round trip that is a transaction of its own. */
function question(limitMs: number): string {
  return `
    set local lock_timeout = ${LOCK_MS}; set local statement_timeout = ${limitMs};
    select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as "isReadOnly",
           coalesce(jsonb_agg(name), '[]') as applied from ${LEDGER}`;
}

/** Waits for `answer`, at most `ms` milliseconds. Throws {@link NoAnswer}. */
function inTime<T>(ms: number, answer: Promise<T>): Promise<T> {
  return within(ms, answer, () => new NoAnswer(`The database has not answered within ${ms} ms.`));
}
