import type { BulkReport } from '../../domain/bulk-report.ts';
import { type Account, roleAfter } from '../../domain/user.ts';
import {
  type AccountRow,
  type AccountWrite,
  changeBetween,
  lockAccounts,
  writeAccounts,
} from '../../store/account-writes.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import type { Unit } from '../../store/unit.ts';

/** What happens to each of the accounts. */
export type BulkChange =
  | { readonly [Field in 'role' | 'status' | 'storageMode']?: Account[Field] | undefined }
  | 'delete';

/** The most accounts of one bulk change: more are an import. */
export const MAX_BULK = 1_000;

/** How many accounts a statement writes. */
const BATCH_SIZE = 500;

/**
 * Changes or deletes accounts with a few statements, all of those that exist or none. Each change has an entry of its own in the
 * history. Throws `last_admin` and `forbidden`. Then nothing may be committed.
 */
export async function changeInBulk(
  unit: Unit,
  ids: readonly number[],
  change: BulkChange,
): Promise<BulkReport> {
  await unit.begin();
  // In the order of locks, and each once.
  const rest = [...new Set(ids)].sort((a, b) => a - b);
  const count = { changed: 0, unchanged: 0 };
  const missingIds: number[] = [];
  let takesAdminAway = false;
  while (rest.length > 0) {
    const batch = rest.splice(0, BATCH_SIZE);
    const accounts = await lockAccounts(unit, batch);
    const writes = accounts.map((account) => writeOf(account, change)).filter((write) => write !== undefined);
    const written = await writeAccounts(unit, writes);
    takesAdminAway ||= written.takesAdminAway;
    count.changed += writes.length;
    count.unchanged += accounts.length - writes.length;
    const found = new Set(accounts.map(({ id }) => id));
    missingIds.push(...batch.filter((id) => !found.has(id)));
  }
  if (takesAdminAway) await requireActiveAdmin(unit.em);
  return {
    ...count,
    ...(unit.dryRun && { changed: 0, wouldChange: count.changed }),
    missing: missingIds.length,
    missingIds,
    requestId: unit.author.requestId,
  };
}

function writeOf(before: AccountRow, change: BulkChange): AccountWrite | undefined {
  if (change === 'delete') return { before, after: null };
  const { role, status = before.status, storageMode = before.storageMode } = change;
  const after = { ...before, ...(role && roleAfter(before, { role }, new Date())), status, storageMode };
  return changeBetween(before, after);
}
