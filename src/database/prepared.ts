import type { EntityManager } from '@mikro-orm/postgresql';
import { FOREIGN } from './adoption/foreign.ts';
import { LEDGER } from './ledger-name.ts';
import { RIGHTS, rightsParameter } from './rights.ts';
import { SEARCH_INDEXES, SEARCHED } from './search-indexes.ts';
import { TRIGRAMS } from './trigrams.ts';

// Every question that the steps of `migrateUnderLock` ask one by one. A step without its question here is skipped by most starts.
const prepared = (undone: string) => `
  select coalesce((select "hasLedger" and closed = '[]' from (${RIGHTS}) as rights), false)
         and not exists (${FOREIGN})
         and not exists (${undone})
         and coalesce((select "isOpen" from (${TRIGRAMS}) as trigrams), false)
         and coalesce((select valid @> ?::jsonb from (${SEARCHED}) as accounts), false) as "isWhole",
         (select coalesce(jsonb_agg(name order by id), '[]') from ${LEDGER}) as applied`;

/**
 * Asks in one query whether `migrateUnderLock` has nothing to do for the migrations in `known`, and whether the query `undone`,
 * of the steps that follow it, finds no row. Returns the names of newer code's migrations then, and else `undefined`. Throws where
 * a table is missing or closed to the role.
 */
export async function findUnknownMigrations(
  em: EntityManager,
  known: readonly string[],
  undone: string,
): Promise<readonly string[] | undefined> {
  const [row] = await em.execute<{ isWhole: boolean; applied: string[] }[]>(prepared(undone), [
    rightsParameter(em),
    JSON.stringify(SEARCH_INDEXES),
  ]);
  const { isWhole = false, applied = [] } = row ?? {};
  const isCurrent = known.length > 0 && known.every((name) => applied.includes(name));
  return isWhole && isCurrent ? applied.filter((name) => !known.includes(name)) : undefined;
}
