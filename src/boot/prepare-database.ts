import type { Logger } from 'pino';
import { EXIT_CONFIG } from '../../config/exit.ts';
import { CannotAdopt } from '../database/adoption/index.ts';
import { LockHeld } from '../database/boot-lock.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { migrateUnderLock } from '../database/schema.ts';
import { DatabaseUnfit } from '../database/unfit.ts';
import { BOOT } from '../domain/author.ts';
import { ACTIVE_ADMIN, User } from '../domain/user.ts';
import { formerAdmins, seedAdmins } from '../services/accounts/admin-seeder.ts';
import { shiftFeed } from '../store/feed-shift.ts';
import { Unit } from '../store/unit.ts';
import { CannotStart } from './cannot-start.ts';
import { openStore, type Store } from './open-store.ts';

/** What the preparation of a database needs. */
export interface PrepareOptions {
  readonly mode: ConnectionMode;
  /** Normalized, no duplicates. */
  readonly initialAdmins: readonly string[];
  readonly log: Logger;
  /** When to give up waiting for the boot lock, in milliseconds of the epoch: `bootTimeoutMs` after the start. */
  readonly deadline: number;
  readonly bootTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Migrates the database and seeds the admins under the boot lock, and checks the schema afterwards. It uses its own
 * connections and closes them: a migration takes as long as it takes, and the time limits of `database` are for requests.
 * Throws {@link CannotStart}, and the reason of `signal` when it aborts.
 */
export async function prepareDatabase(
  database: DatabaseSettings,
  { mode, initialAdmins, log, deadline, bootTimeoutMs, signal }: PrepareOptions,
): Promise<void> {
  const store = await openStore({ database: { ...database, statementTimeoutMs: 0 }, mode, log });
  try {
    const onWait = (error: Error) => log.info({ reason: error.message }, 'waiting for the boot lock');
    const { admins, restored, ...seeded } = await migrateUnderLock(
      store.orm,
      {
        deadline,
        signal,
        onWait,
        onAdopt: ({ accounts, renamedEmails, barred: suspended }) =>
          log.info({ accounts, renamedEmails, suspended }, 'existing table users adopted'),
      },
      async (em, gap) => {
        if (gap !== undefined) log.warn(gap, 'no indexes for the search; it works, but slower');
        if (await shiftFeed(em)) log.warn('database moved to another cluster; change feed continued');
        const unit = new Unit(em, { author: BOOT });
        const report = await seedAdmins(unit, initialAdmins);
        const restored = await formerAdmins(unit, [...report.created, ...report.promoted]);
        await em.flush();
        return { ...report, restored, admins: await em.count(User, ACTIVE_ADMIN) };
      },
    ).catch((error: Error) => {
      if (error instanceof CannotAdopt || error instanceof DatabaseUnfit)
        throw new CannotStart(error.message, { exitCode: EXIT_CONFIG });
      if (!(error instanceof LockHeld)) throw error;
      throw new CannotStart(
        `${error.message} It still held the lock after BOOT_TIMEOUT_MS (${bootTimeoutMs} ms).`,
      );
    });
    log.info(seeded, 'admins seeded');
    for (const email of restored) log.warn({ email }, 'restored admin, as INITIAL_ADMINS says');
    if (admins === 0) log.warn('no active admin; name one in INITIAL_ADMINS and restart');
    await checkSchema(store, log);
  } finally {
    await store.close();
  }
}

async function checkSchema({ migrations, schemaState }: Store, log: Logger): Promise<void> {
  const { pending, unknown } = await schemaState();
  if (migrations.length === 0 || pending.length > 0) {
    throw new CannotStart(`Migrations are missing: ${pending.join(', ') || 'this installation has none'}.`);
  }
  if (unknown.length > 0) {
    log.warn({ migrations: unknown }, 'database is newer than this code; it has unknown migrations');
  }
}
