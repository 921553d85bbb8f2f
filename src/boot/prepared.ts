import type { EntityManager } from '@mikro-orm/postgresql';
import { FOREIGN } from '../database/adoption/foreign.ts';
import { isUnavailable } from '../database/driver-errors.ts';
import { LEDGER } from '../database/ledger-name.ts';
import { RIGHTS, rightsParameter } from '../database/rights.ts';
import { SEARCH_INDEXES, SEARCHED } from '../database/search-indexes.ts';
import { TRIGRAMS } from '../database/trigrams.ts';
import { BEHIND } from '../store/feed-shift.ts';
import type { Prepared } from './prepare-database.ts';
import { findSeeded } from './seed.ts';

/** The database needs something, or must be refused. */
export class NotPrepared extends Error {
  override readonly name = 'NotPrepared';
}

// Every question that the steps of a migrating start ask one by one.
const PREPARED = `
  select coalesce((select "hasLedger" and closed = '[]' from (${RIGHTS}) as rights), false)
         and not exists (${FOREIGN})
         and not exists (${BEHIND})
         and coalesce((select "isOpen" from (${TRIGRAMS}) as trigrams), false)
         and coalesce((select valid @> ?::jsonb from (${SEARCHED}) as accounts), false) as "isWhole",
         (select coalesce(jsonb_agg(name order by id), '[]') from ${LEDGER}) as applied`;

/** The code of a statement that the server has cancelled, such as one that waited for a lock. */
const CANCELLED = '57014';

/**
 * Asks whether an earlier start has prepared the database for the migrations in `known`, and made each of `emails` an active
 * admin. Writes nothing. Throws {@link NotPrepared}, after which the transaction of `em` can only be rolled back.
 */
export async function findPrepared(
  em: EntityManager,
  known: readonly string[],
  emails: readonly string[],
): Promise<Prepared> {
  try {
    const unknown = await findUnknown(em, known);
    const seeded = unknown && (await findSeeded(em, emails));
    if (unknown && seeded) return { ...seeded, unknown };
  } catch (error) {
    if (isUnavailable(error) && (error as { code?: string }).code !== CANCELLED) throw error;
    // A table is missing, locked, or closed to the role: the steps one by one say which and what to do, or wait.
  }
  throw new NotPrepared();
}

/** Names the migrations of newer code. Returns `undefined` where a migrating start has something to do. */
async function findUnknown(
  em: EntityManager,
  known: readonly string[],
): Promise<readonly string[] | undefined> {
  const [row] = await em.execute<{ isWhole: boolean; applied: string[] }[]>(PREPARED, [
    rightsParameter(em),
    JSON.stringify(SEARCH_INDEXES),
  ]);
  const { isWhole = false, applied = [] } = row ?? {};
  const isCurrent = known.length > 0 && known.every((name) => applied.includes(name));
  return isWhole && isCurrent ? applied.filter((name) => !known.includes(name)) : undefined;
}
