import type { DatabaseSettings } from '../database/connection.ts';
import { migrateUnderLock } from '../database/migrate.ts';
import { shiftFeed } from '../store/feed-shift.ts';
import { CannotStart } from './cannot-start.ts';
import { openStore, type Store } from './open-store.ts';
import type { Prepared, PrepareOptions } from './prepare-database.ts';
import { seed } from './seed.ts';

/**
 * Migrates the database and seeds the admins under the boot lock, and checks the schema afterwards. It uses its own
 * connections and closes them: a migration takes as long as it takes, and the time limits of `database` are for requests.
 */
export async function migrate(database: DatabaseSettings, options: PrepareOptions): Promise<Prepared> {
  const { mode, initialAdmins, log } = options;
  const store = await openStore({ database: { ...database, statementTimeoutMs: 0 }, mode, log });
  try {
    const seeded = await migrateUnderLock(
      store.orm,
      {
        ...options,
        onAdopt: ({ accounts, renamedEmails, barred: suspended }) =>
          log.info({ accounts, renamedEmails, suspended }, 'existing table users adopted'),
      },
      // `findPrepared` asks whether all of this is needed: add the question of a new step there.
      async (em, gap) => {
        if (gap !== undefined)
          log.warn(gap, 'no indexes for the search, which works, but slower; run the statement');
        if (await shiftFeed(em)) log.warn('database moved to another cluster; change feed continued');
        return seed(em, initialAdmins);
      },
    );
    return { ...seeded, unknown: await unknownMigrations(store) };
  } finally {
    await store.close();
  }
}

async function unknownMigrations({ migrations, schemaState }: Store): Promise<readonly string[]> {
  const { pending, unknown } = await schemaState();
  if (migrations.length === 0 || pending.length > 0) {
    throw new CannotStart(`Migrations are missing: ${pending.join(', ') || 'this installation has none'}.`);
  }
  return unknown;
}
