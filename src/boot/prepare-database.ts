import type { Logger } from 'pino';
import { EXIT_CONFIG } from '../../config/exit.ts';
import { CannotAdopt } from '../database/adoption/problem.ts';
import { type BootLockOptions, LockHeld, underBootLock } from '../database/boot-lock.ts';
import { bounded, DeadlinePassed } from '../database/bounded-work.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { isUnavailable } from '../database/driver-errors.ts';
import { DatabaseUnfit } from '../database/unfit.ts';
import { CannotStart } from './cannot-start.ts';
import type { Store } from './open-store.ts';
import { findPrepared, NotPrepared } from './prepared.ts';
import type { Seeded } from './seed.ts';

/** How long an attempt to take the boot lock takes at most, unless the database does not answer, in milliseconds. */
const ATTEMPT_MS = 3_000;

/** What the preparation of a database needs. */
export interface PrepareOptions extends BootLockOptions {
  readonly mode: ConnectionMode;
  /** Normalized, no duplicates. */
  readonly initialAdmins: readonly string[];
  readonly log: Logger;
  /** Called with the pending migrations that another process has to apply, at each look at them. */
  readonly onPending: (migrations: readonly string[]) => Promise<void>;
}

/** A database that is ready for requests. */
export interface Prepared extends Seeded {
  /** The migrations of newer code. */
  readonly unknown: readonly string[];
}

/**
 * Prepares the database of a store: seeds the admins under the boot lock, after all migrations. Where an earlier start has done
 * that, two queries find it out; else the migrator is loaded, or, without `migrateOnBoot`, another process has to migrate.
 * `bootTimeoutMs` after the start is the deadline. Throws {@link CannotStart}, and the reason of the signal when it aborts.
 */
export async function prepareDatabase(
  store: Store,
  database: DatabaseSettings,
  options: PrepareOptions & {
    readonly bootTimeoutMs: number;
    readonly migrateOnBoot: boolean;
  },
): Promise<void> {
  const { log, initialAdmins, bootTimeoutMs, migrateOnBoot } = options;
  let waited: { readonly error: Error; readonly at: number } | undefined;
  const prepare: PrepareOptions = {
    ...options,
    onWait(error) {
      options.onWait(error);
      if (error instanceof LockHeld) waited = { error, at: Date.now() };
      log.info({ reason: error.message }, 'waiting for the boot lock');
    },
  };
  // The driver gives up a statement soon after this limit. Without it, the server would go on, and hold the boot lock.
  const { statementTimeoutMs } = database;
  // Half of the time at most: what a lock holds up is left to the steps one by one, which say who holds it.
  const askingMs = Math.max(1, Math.min(statementTimeoutMs, Math.floor((prepare.deadline - Date.now()) / 2)));
  const { report, restored, admins, unknown } = await bounded(store.orm, { ...prepare, database }, (signal) =>
    underBootLock(store.orm, { ...prepare, signal, statementTimeoutMs: askingMs }, (em) =>
      findPrepared(em, store.migrations, initialAdmins),
    ),
  )
    .catch(async (error: Error): Promise<Prepared> => {
      if (!(error instanceof NotPrepared)) throw error;
      if (!migrateOnBoot) {
        const { awaitMigrations } = await import('./await-migrations.ts');
        // It looks every second, and says itself what is missing.
        const deadline = prepare.deadline + 1_000;
        return bounded(store.orm, { ...prepare, database, deadline }, (signal) =>
          awaitMigrations(store, { ...prepare, signal, statementTimeoutMs }),
        );
      }
      const { migrate } = await import('./migrate.ts');
      return migrate(database, prepare);
    })
    .catch((thrown: Error) => {
      // An attempt to take the lock that the deadline has cut off.
      const isWaiting = waited !== undefined && Date.now() - waited.at < ATTEMPT_MS;
      const error =
        thrown instanceof DeadlinePassed && thrown.blockers.length === 0 && isWaiting
          ? (waited?.error ?? thrown)
          : thrown;
      if (error instanceof CannotAdopt || error instanceof DatabaseUnfit)
        throw new CannotStart(error.message, { exitCode: EXIT_CONFIG });
      if (error instanceof DeadlinePassed) {
        throw new CannotStart(
          `The database was not prepared within BOOT_TIMEOUT_MS (${bootTimeoutMs} ms). ${error.message} ` +
            'Raise BOOT_TIMEOUT_MS where migrations need more time.',
        );
      }
      // Attempts are repeated until the deadline: this is how the last one failed.
      if (isUnavailable(error)) {
        throw new CannotStart(
          `The database was not prepared within BOOT_TIMEOUT_MS (${bootTimeoutMs} ms): ${error.message}`,
          { cause: error },
        );
      }
      if (!(error instanceof LockHeld)) throw error;
      throw new CannotStart(
        `${error.message} It still held the lock after BOOT_TIMEOUT_MS (${bootTimeoutMs} ms).`,
      );
    });
  log.info(report, 'admins seeded');
  for (const email of restored)
    log.warn({ email }, 'restored admin, as INITIAL_ADMINS says; to take it away, remove it there first');
  if (admins === 0) log.warn('no active admin; name one in INITIAL_ADMINS and restart');
  if (unknown.length > 0)
    log.warn(
      { migrations: unknown },
      'database is newer than this code; update the code, unless this is a rollback',
    );
}
