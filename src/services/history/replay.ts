import { type AccountState, applyChange, type Change, changed } from '../../domain/change.ts';
import { mergePatch } from '../../domain/preferences.ts';
import { isEqualJson } from './exact-json.ts';

/** An entry of the history, as a replay reads it. */
export type Entry = Pick<Change, 'userId' | 'action' | 'before' | 'after' | 'version'> & {
  /** ISO 8601, to the microsecond. */
  readonly at: string;
  readonly isErased: boolean;
};

/** The result of replaying an account's entries. */
export interface Replay {
  readonly exists: boolean;
  readonly isErased: boolean;
  /** Empty where the account does not exist, or its values have been erased. */
  readonly state: Partial<AccountState>;
  readonly version: number;
  /** ISO 8601, to the microsecond; so is `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Reports a contradiction: the field, its value by the history so far, and its value as it is. */
export type Report = (field: string, expected: unknown, found: unknown) => void;

/**
 * Adds an entry to a replay (`undefined` before the first entry). Faults of the entry are reported, and the replay continues
 * with what the entry says.
 */
export function replay(past: Replay | undefined, entry: Entry, report: Report): Replay {
  const { action, version, at, isErased } = entry;
  const exists = past?.exists ?? false;
  if (exists === (action === 'created')) report('action', exists ? 'updated' : 'created', action);
  // An account older than its history starts with the version it had.
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

/** Reports an entry whose `before` does not lead back to the state before it. */
function checkBefore(
  was: Partial<AccountState>,
  createdAt: string,
  is: Partial<AccountState>,
  before: Partial<AccountState>,
  report: Report,
): void {
  const { createdAt: began, ...back } = { ...is, ...changed(is as AccountState, before) };
  if (!isEqualJson(withoutNulls(was), withoutNulls(back))) report('before', was, back);
  // An entry has milliseconds only.
  if (began !== undefined && Date.parse(began) !== Date.parse(createdAt)) {
    report('before.createdAt', createdAt, began);
  }
}

/**
 * The state without nulls: no patch leads back to a null among the preferences, which older versions stored, and an entry from
 * before a column existed does not have it.
 */
function withoutNulls(state: Partial<AccountState>): object {
  const fields = Object.entries(state).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(fields), preferences: mergePatch({}, state.preferences ?? {}) };
}
