import { queryOf } from '../../../client/send.ts';
import { type LiveChange, onChange } from '../../data/live.ts';
import type { PagesState } from '../../data/load.ts';
import type { Account } from './types.ts';

/** The name of the list for the way back to it. */
export const LIST = 'accounts';

/** The list as it was left. */
export interface KeptList {
  readonly pages: PagesState<Account>;
  readonly picked: ReadonlySet<number>;
}

/** The filters of the list that was shown last, as its address has them: links back lead there. */
let shown = '';

/** The address of the list that was shown last, after the view's. */
export function listQuery(): string {
  return shown;
}

/** The most accounts whose changes are noted while the list is not shown: after more, it begins anew. */
const MAX_NOTED = 1_000;

let noted = new Map<number, LiveChange>();
let end: (() => void) | undefined;

/** Keeps the list, and notes what changes until it is shown again. */
export function leaveList(pages: PagesState<Account>, picked: ReadonlySet<number>): KeptList {
  shown = queryOf(JSON.parse(pages.key));
  noted = new Map();
  end?.();
  end = onChange((change) => {
    if (noted.size <= MAX_NOTED) noted.set(change.userId, change);
  });
  return { pages, picked };
}

/** The list as it was left, with what has changed since; `undefined` where too much has. */
export function returnToList(kept: KeptList | undefined): KeptList | undefined {
  end?.();
  end = undefined;
  if (kept === undefined || noted.size > MAX_NOTED) return undefined;
  return { ...kept, pages: { ...kept.pages, items: changed(kept.pages.items, noted) } };
}

/** Accounts after changes, by their ids. */
export function changed(
  accounts: readonly Account[],
  changes: ReadonlyMap<number, LiveChange>,
): readonly Account[] {
  return accounts.flatMap((account) => {
    const change = changes.get(account.id);
    if (change === undefined || change.version <= account.version) return [account];
    if (change.action === 'deleted') return [];
    const { preferences: _, ...values } = change.after ?? {};
    return [{ ...account, ...values, version: change.version } as Account];
  });
}
