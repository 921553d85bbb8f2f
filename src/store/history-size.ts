import type { UnitOfWork } from '@mikro-orm/core';
import { indexNames } from '../domain/field-index.ts';
import { accountChangeSets, differenceOf } from './account-change-sets.ts';

/** The size of an index entry, in the table and in its key, in bytes. */
const INDEX_ENTRY_BYTES = 200;

/**
 * Roughly the bytes that a flush would add to the history: the values as JSON, the reason, and the index by fields. A deletion counts for
 * nothing: everybody may leave.
 */
export function historySize(uow: UnitOfWork, reason: string | null): number {
  const reasonBytes = Buffer.byteLength(reason ?? '');
  return accountChangeSets(uow)
    .map(differenceOf)
    .filter(({ action }) => action !== 'deleted')
    .reduce(
      (sum, change) =>
        sum +
        Buffer.byteLength(JSON.stringify(change)) +
        reasonBytes +
        INDEX_ENTRY_BYTES * indexNames(change).length,
      0,
    );
}
