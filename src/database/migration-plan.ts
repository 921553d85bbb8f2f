import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Migration } from '@mikro-orm/migrations';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { isForeign } from './adoption/foreign.ts';
import { FIRST_MIGRATION } from './adoption/target.ts';
import { appliedMigrations } from './ledger.ts';
import { namedTables } from './locked-tables.ts';
import { planSearchIndexes, type SearchGap } from './search-indexes.ts';

/** A pending migration, and how it will be applied. */
export interface PlannedMigration {
  readonly name: string;
  /**
   * The number of its transaction, from 1: migrations with the same number are applied together or not at all. `null`: outside of
   * any transaction, alone.
   */
  readonly transaction: number | null;
  /**
   * The tables that are there before and that it locks, as far as its text names them: requests that use them wait until its
   * transaction has ended.
   */
  readonly locks: readonly string[];
}

/** What a migration would find and do. */
export interface MigrationPlan {
  /** In the order in which they are applied. */
  readonly pending: readonly PlannedMigration[];
  /** The migrations of newer code. */
  readonly unknown: readonly string[];
  /** Whether there is a table `users` of another service, which is adopted first. */
  readonly adopts: boolean;
  /** The indexes of the search that are missing after migrations that have built them, and that will be built. */
  readonly missingIndexes: readonly string[];
  /** Why they cannot be built: the search works without them. */
  readonly searchGap: SearchGap | null;
}

/** Plans the migration of a database; `known` are the names of this code's migrations, in order. Writes nothing. */
export async function planMigrations(
  orm: MikroORM,
  em: EntityManager,
  known: readonly string[],
): Promise<MigrationPlan> {
  const applied = await appliedMigrations(em);
  const adopts = await isForeign(em);
  const classes = await Promise.all(
    known
      // The adoption does what the first one does.
      .filter((name) => !applied.includes(name) && !(adopts && name === FIRST_MIGRATION))
      .map(async (name) => {
        const prototype = await prototypeOf(orm, name);
        return { name, prototype, tables: namedTables(String(prototype.up)) };
      }),
  );
  const created = new Set(classes.flatMap(({ tables }) => tables.created));
  const tableOf = await indexedTables(
    em,
    classes.flatMap(({ tables }) => tables.droppedIndexes),
  );
  let transaction = 0;
  let isOpen = false;
  const pending = classes.map(({ name, prototype, tables }): PlannedMigration => {
    const isTransactional = prototype.isTransactional();
    if (isTransactional && !isOpen) transaction++;
    isOpen = isTransactional;
    const locked = [...tables.locked, ...tables.droppedIndexes.flatMap((index) => tableOf.get(index) ?? [])];
    return {
      name,
      transaction: isTransactional ? transaction : null,
      locks: [...new Set(locked)].filter((table) => !created.has(table)),
    };
  });
  const search = pending.length > 0 ? undefined : await planSearchIndexes(orm.em.getConnection() as never);
  return {
    pending,
    unknown: applied.filter((name) => !known.includes(name)),
    adopts,
    missingIndexes: search?.missing ?? [],
    searchGap: search?.gap ?? null,
  };
}

/** Whether a migration must run outside of any transaction. `path` is that of its file. */
export async function runsAlone({ path }: { path?: string }): Promise<boolean> {
  return !(await loadPrototype(path ?? '')).isTransactional();
}

function prototypeOf(orm: MikroORM, name: string): Promise<Migration> {
  // As the file of this code: sources, or a build of them.
  const file = name + extname(import.meta.filename);
  return loadPrototype(join(orm.config.get('migrations').path ?? '', file));
}

async function loadPrototype(path: string): Promise<Migration> {
  const module: Record<string, { prototype: Migration }> = await import(pathToFileURL(path).href);
  const [migration] = Object.values(module);
  if (migration === undefined) throw new Error(`${path} has no migration.`);
  return migration.prototype;
}

/** The tables of indexes, by the names of these. */
async function indexedTables(em: EntityManager, indexes: readonly string[]): Promise<Map<string, string>> {
  if (indexes.length === 0) return new Map();
  const rows = await em.execute<{ index: string; table: string }[]>(
    `select index.relname as index, indrelid::regclass::text as table
       from pg_index join pg_class as index on index.oid = indexrelid and pg_table_is_visible(index.oid)
      where index.relname = any (?)`,
    [[...indexes]],
  );
  return new Map(rows.map(({ index, table }) => [index, table]));
}
