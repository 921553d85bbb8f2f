import { type AccountState, applyChange, type Change, changed } from '../../domain/change.ts';
import { mergePatch } from '../../domain/preferences.ts';
import { saysTheSame } from './exact-json.ts';

/** An entry of the history as a replay takes it. */
export type Entry = Pick<Change, 'userId' | 'action' | 'before' | 'after' | 'version'> & {
  /** ISO 8601, to the microsecond. */
  readonly at: string;
  readonly isErased: boolean;
};

/** What the entries of an account add up to. */
export interface Replay {
  readonly exists: boolean;
  readonly isErased: boolean;
  /** Without fields where there is no account by now, or the history does not tell any more. */
  readonly state: Partial<AccountState>;
  readonly version: number;
  /** When the account began, and when it was last changed; as in an entry. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Told what does not fit: where, what it should be by all that went before, and what it is. */
export type Report = (field: string, expected: unknown, found: unknown) => void;

/**
 * A replay (none before the first entry) with one entry more. What is wrong with the entry is reported, and it counts as far
 * as it can.
 */
export function replay(past: Replay | undefined, entry: Entry, report: Report): Replay {
  const { action, version, at, isErased } = entry;
  const exists = past?.exists ?? false;
  if (exists === (action === 'created')) report('action', exists ? 'updated' : 'created', action);
  // An account that is older than its history begins with the version that it had.
  if (past !== undefined && version !== past.version + 1) report('version', past.version + 1, version);
  if (past !== undefined && isErased !== past.isErased) report('erased', past.isErased, isErased);
  for (const [side, isThere] of [
    ['before', action !== 'created' && !isErased],
    ['after', action !== 'deleted' && !isErased],
  ] as const) {
    if (isThere !== (entry[side] !== null)) report(side, isThere ? 'values' : null, entry[side]);
  }

  const was = past?.state ?? {};
  const { createdAt: began, ...state }: Partial<AccountState> =
    applyChange(was as AccountState, { action, after: entry.after ?? {} }) ?? {};
  const createdAt = action === 'created' ? (began ?? at) : (past?.createdAt ?? at);
  if (exists && entry.before !== null) checkBefore(was, createdAt, state, entry.before, report);
  return { exists: action !== 'deleted', isErased, state, version, createdAt, updatedAt: at };
}

/** Whether what an entry says of the time before it leads back there. */
function checkBefore(
  was: Partial<AccountState>,
  createdAt: string,
  is: Partial<AccountState>,
  before: Partial<AccountState>,
  report: Report,
): void {
  const { createdAt: began, ...back } = { ...is, ...changed(is as AccountState, before) };
  if (!saysTheSame(withoutNulls(was), withoutNulls(back))) report('before', was, back);
  // An entry has it to the millisecond.
  if (began !== undefined && Date.parse(began) !== Date.parse(createdAt)) {
    report('before.createdAt', createdAt, began);
  }
}

/** A patch cannot lead back to a null among the preferences, from the days when nulls were kept. */
function withoutNulls(state: Partial<AccountState>): object {
  return { ...state, preferences: mergePatch({}, state.preferences ?? {}) };
}
