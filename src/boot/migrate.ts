import type { EntityManager } from '@mikro-orm/postgresql';
import { bounded } from '../database/bounded-work.ts';
import type { DatabaseSettings } from '../database/connection.ts';
import { type MigrateOptions, migrateUnderLock } from '../database/migrate.ts';
import { schemaState } from '../database/schema.ts';
import type { SearchGap } from '../database/search-indexes.ts';
import { shiftFeed } from '../store/feed-shift.ts';
import { CannotStart } from './cannot-start.ts';
import { openStore, type Store } from './open-store.ts';
import type { Prepared, PrepareOptions } from './prepare-database.ts';
import { seed } from './seed.ts';

/** How to migrate, and who is told what. */
export interface MigrateStoreOptions extends MigrateOptions {
  /** Called where the search has no indexes. */
  readonly onGap: (gap: SearchGap) => void;
  /** Called where the database has moved to another cluster, and the change feed was continued. */
  readonly onShift: () => void;
}

/**
 * Migrates the database of a store under the boot lock, continues its change feed, and runs `finish` in the lock's last
 * transaction. Throws what `migrateUnderLock` throws.
 */
export function migrateStore<T>(
  { orm }: Store,
  options: MigrateStoreOptions,
  finish: (em: EntityManager) => Promise<T>,
): Promise<T> {
  // `findPrepared` asks whether all of this is needed: add the question of a new step there.
  return migrateUnderLock(orm, options, async (em, gap) => {
    if (gap !== undefined) options.onGap(gap);
    if (await shiftFeed(em)) options.onShift();
    return finish(em);
  });
}

/**
 * Migrates the database, checks the schema and seeds the admins under the boot lock. It uses its own connections and closes them:
 * the time limits of `database` are for requests, and a statement of a migration has until the deadline.
 */
export async function migrate(database: DatabaseSettings, options: PrepareOptions): Promise<Prepared> {
  const { mode, initialAdmins, log } = options;
  const store = await openStore({ database: { ...database, statementTimeoutMs: 0 }, mode, log });
  try {
    return await bounded(store.orm, { ...options, database }, (signal) =>
      migrateStore(
        store,
        {
          ...options,
          signal,
          onAdopt: ({ accounts, renamedEmails, barred: suspended }) =>
            log.info({ accounts, renamedEmails, suspended }, 'existing table users adopted'),
          onGap: (gap) =>
            log.warn(gap, 'no indexes for the search, which works, but slower; run the statement'),
          onShift: () => log.warn('database moved to another cluster; change feed continued'),
        },
        async (em) => ({
          unknown: await unknownMigrations(em, store.migrations),
          ...(await seed(em, initialAdmins)),
        }),
      ),
    );
  } finally {
    await store.close();
  }
}

/** The migrations of newer code. Throws {@link CannotStart} where one of this code is missing all the same. */
async function unknownMigrations(em: EntityManager, known: readonly string[]): Promise<readonly string[]> {
  const { pending, unknown } = await schemaState(em, known);
  if (known.length === 0 || pending.length > 0)
    throw new CannotStart(`Migrations are missing: ${pending.join(', ') || 'this installation has none'}.`);
  return unknown;
}
