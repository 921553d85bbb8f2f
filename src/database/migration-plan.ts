import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Migration } from '@mikro-orm/migrations';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { isForeign } from './adoption/foreign.ts';
import { FIRST_MIGRATION } from './adoption/target.ts';
import { appliedMigrations } from './ledger.ts';
import { findMissingIndexes } from './search-indexes.ts';

/** A pending migration, and how it will be applied. */
export interface PlannedMigration {
  readonly name: string;
  /**
   * The number of its transaction, from 1: migrations with the same number are applied together or not at all. `null`: outside of
   * any transaction, alone.
   */
  readonly transaction: number | null;
  /** The tables with rows that it locks: requests that use them wait until its transaction has ended. */
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
  /** The indexes of the search that are missing after migrations that have built them. */
  readonly missingIndexes: readonly string[];
}

// Of statements for tables that are there. An index that is built CONCURRENTLY locks nobody out.
const ALTERED = /\balter table (?:if exists )?(?:only )?"?(\w+)"?/gi;
const INDEXED = /\bcreate (?:unique )?index (?!concurrently)\S+ on "?(\w+)"?/gi;
const CREATED = /\bcreate table (?:if not exists )?"?(\w+)"?/gi;

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
      .map(async (name) => ({ name, prototype: await prototypeOf(orm, name) })),
  );
  const created = new Set(classes.flatMap(({ prototype }) => tablesIn(CREATED, prototype)));
  let transaction = 0;
  let isOpen = false;
  const pending = classes.map(({ name, prototype }): PlannedMigration => {
    const isTransactional = prototype.isTransactional();
    if (isTransactional && !isOpen) transaction++;
    isOpen = isTransactional;
    const locked = [...tablesIn(ALTERED, prototype), ...tablesIn(INDEXED, prototype)];
    return {
      name,
      transaction: isTransactional ? transaction : null,
      locks: [...new Set(locked)].filter((table) => !created.has(table)),
    };
  });
  return {
    pending,
    unknown: applied.filter((name) => !known.includes(name)),
    adopts,
    missingIndexes: pending.length > 0 ? [] : await findMissingIndexes(em),
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

/** The tables that a migration's text names in such statements. */
function tablesIn(statement: RegExp, { up }: Migration): string[] {
  return [...String(up).matchAll(statement)].map(([, table = '']) => table);
}
