import { readdir } from 'node:fs/promises';
import { matchesGlob, parse } from 'node:path';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';

/** How the database's schema stands to the code: what it still lacks, and what it has from newer code. */
export interface SchemaState {
  readonly pending: readonly string[];
  readonly unknown: readonly string[];
}

/** The names of the migrations that this code brings along, in their order. */
export async function knownMigrations(orm: MikroORM): Promise<readonly string[]> {
  const { path = '', glob = '' } = orm.config.get('migrations');
  const files = await readdir(path);
  return files
    .filter((file) => matchesGlob(file, glob))
    .map((file) => parse(file).name)
    .sort();
}

/**
 * Brings the schema up to this code, inside the transaction of `em`, and returns the names of what was applied.
 * Throws an error that names the migration which failed; the transaction is then good for nothing but a rollback.
 * Only the ledger's table, when it was missing, stays behind, with nothing in it.
 */
export async function migrate(orm: MikroORM, em: EntityManager): Promise<readonly string[]> {
  let current = '';
  const follow = ({ name }: { name: string }) => {
    current = name;
  };
  orm.migrator.on('migrating', follow);
  try {
    const transaction = em.getTransactionContext();
    const applied = await orm.migrator.up(transaction === undefined ? undefined : { transaction });
    return applied.map(({ name }) => name);
  } catch (error) {
    if (current === '') throw error;
    throw new Error(`Migration ${current} failed: ${(error as Error).message}`, { cause: error });
  } finally {
    orm.migrator.off('migrating', follow);
  }
}

/** Compares the database's ledger with `known`, in one query. Throws when there is no ledger, or no database. */
export async function schemaState(em: EntityManager, known: readonly string[]): Promise<SchemaState> {
  const rows = await em.execute<{ name: string }[]>('select name from mikro_orm_migrations order by id');
  const applied = new Set(rows.map(({ name }) => name));
  return {
    pending: known.filter((name) => !applied.has(name)),
    unknown: [...applied].filter((name) => !known.includes(name)),
  };
}
