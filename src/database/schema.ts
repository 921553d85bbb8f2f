import { readdir } from 'node:fs/promises';
import { parse } from 'node:path';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { LEDGER } from './ledger-name.ts';

/** The database's schema compared with the code: migrations that it lacks, and migrations of newer code. */
export interface SchemaState {
  readonly pending: readonly string[];
  readonly unknown: readonly string[];
}

/** The names of this code's migrations, in order. */
export async function knownMigrations(orm: MikroORM): Promise<readonly string[]> {
  const files = await readdir(orm.config.get('migrations').path ?? '');
  // As in the ORM's `glob`, which takes longer to compile.
  return files
    .filter((file) => /^Migration.*\.[jt]s$/.test(file))
    .map((file) => parse(file).name)
    .sort();
}

/** Compares the database's ledger with `known`, in one query. Throws without a ledger or a database. */
export async function schemaState(em: EntityManager, known: readonly string[]): Promise<SchemaState> {
  const rows = await em.execute<{ name: string }[]>(APPLIED);
  const applied = new Set(rows.map(({ name }) => name));
  return {
    pending: known.filter((name) => !applied.has(name)),
    unknown: [...applied].filter((name) => !known.includes(name)),
  };
}

const APPLIED = `select name from ${LEDGER} order by id`;
