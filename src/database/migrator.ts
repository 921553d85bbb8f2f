import type { MikroORM } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { Ledger } from './ledger.ts';

/** The migrator with a ledger of its own, {@link Ledger}. */
export class RollcallMigrator extends Migrator {
  // The ORM adds its own migrator, which would replace this one, unless an extension has that name.
  static override readonly name = 'Migrator';

  static override register(orm: MikroORM): void {
    orm.config.registerExtension('@mikro-orm/migrator', () => new RollcallMigrator(orm.em as never));
  }

  override createStorage(): Ledger {
    return new Ledger(this.driver as never, this.options as never);
  }
}
