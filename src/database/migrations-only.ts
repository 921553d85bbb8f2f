import type { MikroORM } from '@mikro-orm/core';
import { SchemaGenerator } from '@mikro-orm/postgresql';

/**
 * The schema generator without its writes: it compares the schema and changes no database. So neither `schema:update --run` nor
 * `migration:fresh` bypasses the migrations, in any environment.
 */
export class MigrationsOnly extends SchemaGenerator {
  static override register(orm: MikroORM): void {
    orm.config.registerExtension('@mikro-orm/schema-generator', () => new MigrationsOnly(orm.em as never));
  }

  /** Always throws: the schema changes by migrations only. */
  override async execute(): Promise<never> {
    throw new Error('The schema changes by migrations only: use migration:create and migration:up.');
  }

  /** The operator creates the database. */
  override async ensureDatabase(): Promise<boolean> {
    return false;
  }

  override async clear(): Promise<never> {
    return this.execute();
  }

  override async createDatabase(): Promise<never> {
    return this.execute();
  }

  override async dropDatabase(): Promise<never> {
    return this.execute();
  }
}
