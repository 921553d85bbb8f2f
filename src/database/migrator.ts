import type { MikroORM, Transaction } from '@mikro-orm/core';
import { type Migration, MigrationRunner, Migrator } from '@mikro-orm/migrations';
import type { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Ledger } from './ledger.ts';
import { ensureTrigrams } from './trigrams.ts';

/** A statement of a migration that creates pg_trgm, and one that needs its operators. */
const CREATES_TRIGRAMS = /create extension if not exists pg_trgm/;
const NEEDS_TRIGRAMS = /gin_trgm_ops/;

/**
 * The migrator, with a ledger of its own, and with migrations that work without pg_trgm: the indexes of the search are left out
 * then, and `repairSearchIndexes` builds them at the first start with it.
 */
export class RollcallMigrator extends Migrator {
  // The ORM adds its own migrator, which would replace this one, unless an extension has that name.
  static override readonly name = 'Migrator';

  /** Makes it the migrator of an ORM that has not used another one. Not among the options, so that only migrating loads it. */
  static override register(orm: MikroORM): void {
    orm.config.registerExtension('@mikro-orm/migrator', () => new RollcallMigrator(orm.em as never));
  }

  override createStorage(): Ledger {
    return new Ledger(this.driver as never, this.options as never);
  }

  override createRunner(): TolerantRunner {
    return new TolerantRunner(this.driver as never, this.options as never, this.config);
  }
}

class TolerantRunner extends MigrationRunner {
  override async run(
    migration: Migration,
    method: 'up' | 'down',
    afterRun?: (tx?: Transaction) => Promise<void>,
  ): Promise<void> {
    const driver = this.driver as PostgreSqlDriver;
    const queries = migration.getQueries.bind(migration);
    Object.assign(migration, {
      // The extension is there by now, or cannot be: a statement that fails would end the transaction.
      getQueries: () =>
        queries().filter((query) => !(typeof query === 'string' && CREATES_TRIGRAMS.test(query))),
    });
    const trigrams = await ensureTrigrams(driver.getConnection());
    const isReady = !(trigrams instanceof Error) && trigrams.isVisible;
    if (!isReady && !migration.isTransactional()) {
      Object.assign(migration, { driver: withoutTrigrams(driver) });
    }
    await super.run(migration, method, afterRun);
  }
}

/** The driver as migrations with connections of their own see it; statements that need the operators do nothing. */
function withoutTrigrams(driver: PostgreSqlDriver) {
  const native = () => driver.getConnection().getNativeClient();
  const pool = {
    query: async (sql: string) => (NEEDS_TRIGRAMS.test(sql) ? { rows: [] } : (await native()).query(sql)),
    async connect() {
      const client = await (await native()).connect();
      return {
        query: async (sql: string) => (NEEDS_TRIGRAMS.test(sql) ? { rows: [] } : client.query(sql)),
        release: () => client.release(),
      };
    },
  };
  const connection = replacing(driver.getConnection(), 'getNativeClient', async () => pool);
  return replacing(driver, 'getConnection', () => connection);
}

/** An object with another method in the place of its own. Not by its prototype, for it has private fields. */
function replacing<T extends object>(original: T, method: keyof T, replacement: () => unknown): T {
  return new Proxy(original, {
    get(target, name) {
      if (name === method) return replacement;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
