import type { EntityManager } from '@mikro-orm/postgresql';
import { FOREIGN } from '../database/adoption/foreign.ts';
import { isUnavailable } from '../database/driver-errors.ts';
import { LEDGER } from '../database/ledger-name.ts';
import { RIGHTS, rightsParameter } from '../database/rights.ts';
import { SEARCH_INDEXES, SEARCHED } from '../database/search-indexes.ts';
import { TRIGRAMS } from '../database/trigrams.ts';
import { BEHIND } from '../store/feed-shift.ts';

/** A start has to do more to a database than to seed its admins, or to refuse it. */
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

/**
 * Asks in one query whether an earlier start has prepared the database for the migrations in `known`, and returns the names of
 * those that newer code has applied. Throws {@link NotPrepared}, after which the transaction of `em` can only be rolled back.
 */
export async function checkPrepared(em: EntityManager, known: readonly string[]): Promise<readonly string[]> {
  const [row] = await em
    .execute<{ isWhole: boolean; applied: string[] }[]>(PREPARED, [
      rightsParameter(em),
      JSON.stringify(SEARCH_INDEXES),
    ])
    .catch((error: unknown) => {
      // A table is missing, or closed to the role: the steps one by one say which, and what to do about it.
      throw isUnavailable(error) ? error : new NotPrepared(undefined, { cause: error });
    });
  const { isWhole = false, applied = [] } = row ?? {};
  const isCurrent = known.length > 0 && known.every((name) => applied.includes(name));
  if (!isWhole || !isCurrent) throw new NotPrepared();
  return applied.filter((name) => !known.includes(name));
}
