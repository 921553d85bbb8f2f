import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { isForeign } from './adoption/foreign.ts';
import { adopt, FIRST_MIGRATION, STATUS_MIGRATION, type Survey, suspendBarred } from './adoption/index.ts';
import { type BootLockOptions, underBootLock } from './boot-lock.ts';
import { runsAlone } from './migration-plan.ts';
import { RollcallMigrator } from './migrator.ts';
import { checkRights } from './rights.ts';
import { repairSearchIndexes, type SearchGap } from './search-indexes.ts';

/** How to migrate. */
export interface MigrateOptions extends BootLockOptions {
  /** Called when a table `users` of another service has been adopted; it may be rolled back yet. */
  readonly onAdopt?: (survey: Survey) => void;
  /** Called when a migration has run; it may be rolled back yet, unless it runs outside of any transaction. */
  readonly onMigrated?: (name: string) => void;
}

/**
 * Migrates the database under the boot lock, adopting a table `users` that was there before, then runs `finish` in the lock's
 * transaction and returns its result; it learns why the search has no indexes. Throws `DatabaseUnfit` where the role lacks
 * a right, `CannotAdopt`, after which nothing has changed, and an error that names a failed migration; everything in its
 * transaction is rolled back, except the ledger's table, which stays, empty, where it was missing.
 *
 * Migrations run in the lock's transaction, all or nothing, except one that must run outside of any transaction (an index built
 * `CONCURRENTLY`): it gets the lock to itself, after the earlier ones have been committed.
 */
export async function migrateUnderLock<T>(
  orm: MikroORM,
  options: MigrateOptions,
  finish: (em: EntityManager, gap: SearchGap | undefined) => Promise<T>,
): Promise<T> {
  RollcallMigrator.register(orm);
  for (;;) {
    const result = await underBootLock(orm, options, async (em) => {
      // `findUnknownMigrations` asks whether any of this is needed: add the question of a new step there.
      await checkRights(em, false);
      // Before there is a ledger: another application's database is left as it is.
      let adopted = (await isForeign(em)) ? await adopt(orm, em) : undefined;
      const missing = await orm.migrator.getPending();
      if (adopted === undefined && missing[0]?.name === FIRST_MIGRATION) adopted = await adopt(orm, em);
      if (adopted !== undefined) options.onAdopt?.(adopted);
      // The migrator does not see what this transaction has noted.
      const pending = missing.filter(({ name }) => adopted === undefined || name !== FIRST_MIGRATION);
      if (pending.length > 0) await checkRights(em, true);
      const alone = await Promise.all(pending.map(runsAlone));
      const batch = alone[0] ? 1 : alone.indexOf(true);
      const names = pending.map(({ name }) => name).slice(0, batch === -1 ? undefined : batch);
      if (adopted !== undefined && adopted.barred > 0) {
        await apply(orm, em, names.splice(0, names.indexOf(STATUS_MIGRATION) + 1), options);
        await suspendBarred(em, adopted.shape);
      }
      if (names.length > 0) await apply(orm, em, names, options);
      if (pending.length > 0) return undefined;
      // In a transaction that has written nothing, so that no index waits for it.
      const gap = await repairSearchIndexes(orm.em.getConnection());
      return { finished: await finish(em, gap) };
    });
    if (result !== undefined) return result.finished;
  }
}

async function apply(
  orm: MikroORM,
  em: EntityManager,
  migrations: string[],
  { onMigrated }: MigrateOptions,
): Promise<void> {
  let current = '';
  const follow = ({ name }: { name: string }) => {
    current = name;
  };
  const tell = ({ name }: { name: string }) => onMigrated?.(name);
  orm.migrator.on('migrating', follow);
  orm.migrator.on('migrated', tell);
  try {
    const transaction = em.getTransactionContext();
    await orm.migrator.up({ migrations, ...(transaction !== undefined && { transaction }) });
  } catch (error) {
    if (current === '') throw error;
    throw new Error(`Migration ${current} failed: ${(error as Error).message}`, { cause: error });
  } finally {
    orm.migrator.off('migrating', follow);
    orm.migrator.off('migrated', tell);
  }
}
