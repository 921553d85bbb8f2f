import type { MigrationPlan } from '../database/migration-plan.ts';
import type { SearchGap } from '../database/search-indexes.ts';
import { table } from './table.ts';

/** A plan for people; `adoption` is what the adoption of a table of another service would do. */
export function planLines(
  { pending, unknown, missingIndexes, searchGap }: MigrationPlan,
  adoption: string | undefined,
): string[] {
  const rows = pending.map(({ name, transaction, locks }) => ({
    'pending migration': name,
    transaction: transaction ?? 'none',
    locks: locks.join(', '),
  }));
  const newer =
    unknown.length > 0 ? [`The database has migrations of newer code: ${unknown.join(', ')}`] : [];
  const indexes = [
    ...(missingIndexes.length > 0
      ? [`Indexes of the search that will be built, while requests go on: ${missingIndexes.join(', ')}`]
      : []),
    ...(searchGap === null ? [] : [gapLine(searchGap)]),
  ];
  const head =
    adoption === undefined ? [] : ['A table users of another service will be adopted first.', adoption, ''];
  if (rows.length === 0) {
    return [
      ...newer,
      ...head,
      ...indexes,
      ...(missingIndexes.length > 0 ? [] : ['No migration is pending.']),
    ];
  }
  return [
    ...newer,
    ...head,
    table(['pending migration', 'transaction', 'locks'], rows),
    '',
    ...explained(pending),
    ...indexes,
  ];
}

/** Why the search has no indexes, for people. */
export function gapLine({ reason, statement }: SearchGap): string {
  return `no indexes for the search, which works, but slower: ${reason}; run: ${statement}`;
}

function explained(pending: MigrationPlan['pending']): string[] {
  return [
    ...(pending.some(({ transaction }) => transaction !== null)
      ? [
          'Those of one transaction are applied together or not at all; requests for a locked table wait meanwhile.',
        ]
      : []),
    ...(pending.some(({ transaction }) => transaction === null)
      ? ['Those of none build indexes while requests go on; one that is stopped is repeated the next time.']
      : []),
  ];
}
