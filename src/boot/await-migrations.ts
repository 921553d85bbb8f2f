import { setTimeout as delay } from 'node:timers/promises';
import { IsolationLevel } from '@mikro-orm/core';
import { invocationOf } from '../../config/invocation.ts';
import { underBootLock } from '../database/boot-lock.ts';
import { isUnavailable } from '../database/driver-errors.ts';
import { appliedMigrations } from '../database/ledger.ts';
import { checkRights } from '../database/rights.ts';
import { planSearchIndexes } from '../database/search-indexes.ts';
import { shiftFeed } from '../store/feed-shift.ts';
import { CannotStart } from './cannot-start.ts';
import type { Store } from './open-store.ts';
import type { Prepared, PrepareOptions } from './prepare-database.ts';
import { seed } from './seed.ts';

/** How often to look whether somebody else has migrated, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Prepares the database without migrating it: waits until another process has applied all migrations, then continues the feed and
 * seeds the admins under the boot lock. `onPending` is told of the migrations that are missing, at each look at them. Throws
 * {@link CannotStart} after the deadline.
 *
 * It waits because a rolling deployment starts replicas and the process that migrates at the same time. It ends, because a
 * process manager repeats starts anyway, and shows why they end.
 */
export async function awaitMigrations(
  store: Store,
  options: PrepareOptions & { readonly statementTimeoutMs: number },
): Promise<Prepared> {
  const { deadline, signal, log, onPending } = options;
  for (let told = ''; ; ) {
    if (store.migrations.length === 0)
      throw new CannotStart('This installation has no migrations: build it again.');
    const pending = await findPending(store, options);
    if (pending.length === 0) return await finish(store, options);
    const names = pending.join(', ');
    if (names !== told) {
      log.warn(
        { migrations: pending },
        'waiting for migrations; run the command migrate, because MIGRATE_ON_BOOT is false',
      );
      told = names;
    }
    await onPending(pending);
    if (Date.now() > deadline) {
      throw new CannotStart(
        `Migrations are pending, and MIGRATE_ON_BOOT is false: ${names}. Nobody applied them within BOOT_TIMEOUT_MS. ` +
          `Run: ${invocationOf('migrate')}`,
      );
    }
    await pause(signal);
  }
}

/** The migrations that the database lacks. Waits while it cannot be reached, and while its ledger is locked. */
async function findPending({ orm, migrations }: Store, { deadline, signal, onWait }: PrepareOptions) {
  for (;;) {
    try {
      const applied = await orm.em.fork().transactional(
        async (em) => {
          // A start waits as long as it may; the limit of the session is for requests.
          await em.execute('set local lock_timeout = 0');
          return appliedMigrations(em);
        },
        { isolationLevel: IsolationLevel.READ_COMMITTED },
      );
      return migrations.filter((name) => !applied.includes(name));
    } catch (error) {
      // The role may not read the ledger: what it needs is said where the rights are checked.
      if ((error as { code?: string }).code === '42501') return [];
      if (!isUnavailable(error) || Date.now() > deadline) throw error;
      onWait(error as Error);
      await pause(signal);
    }
  }
}

/** Waits a moment. Throws the signal's reason when it aborts. */
async function pause(signal: AbortSignal): Promise<void> {
  await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function finish(
  store: Store,
  options: PrepareOptions & { readonly statementTimeoutMs: number },
): Promise<Prepared> {
  const { initialAdmins, log } = options;
  return underBootLock(store.orm, options, async (em) => {
    await checkRights(em, false);
    const { missing, gap } = await planSearchIndexes(store.orm.em.getConnection());
    const buildable = { reason: `missing: ${missing.join(', ')}`, statement: invocationOf('migrate') };
    if (gap !== undefined || missing.length > 0)
      log.warn(gap ?? buildable, 'no indexes for the search, which works, but slower; run the statement');
    if (await shiftFeed(em)) log.warn('database moved to another cluster; change feed continued');
    const seeded = await seed(em, initialAdmins);
    const applied = await appliedMigrations(em);
    return { ...seeded, unknown: applied.filter((name) => !store.migrations.includes(name)) };
  });
}
