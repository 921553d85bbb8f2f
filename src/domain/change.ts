import { isObject, mergePatch, type Preferences, patchesBetween } from './preferences.ts';
import { type Account, COLUMNS, type Column, type User } from './user.ts';

/** The kinds of change. */
export const ACTIONS = ['created', 'updated', 'deleted'] as const;
/** One of them. */
export type Action = (typeof ACTIONS)[number];

/** The columns that follow from the history itself. */
const DERIVED = ['id', 'version', 'createdAt', 'updatedAt'] as const;

/** A field that somebody decided, and whose changes the history records. */
export type StateField = Exclude<Column, (typeof DERIVED)[number]>;

/** All fields that the history records: those of every creation and every deletion. */
export const STATE_FIELDS = COLUMNS.filter(
  (column): column is StateField => !DERIVED.some((derived) => derived === column),
);

/** A value as the history records it: null for none, and `{}` for no preferences. */
type Recorded<Field extends StateField> = Field extends 'preferences'
  ? Preferences
  : undefined extends User[Field]
    ? Exclude<User[Field], undefined> | null
    : User[Field];

/** The state of an account, as the history records it. */
export type AccountState = { readonly [Field in Exclude<StateField, 'roleUntil'>]: Recorded<Field> } & {
  /** Only of an admin whose role ends. ISO 8601, in UTC. */
  readonly roleUntil?: string | null;
  /** Only where it is not the time of the change: a restored account keeps its age. ISO 8601, in UTC. */
  readonly createdAt?: string;
};

/** Some fields of an account; of the preferences, a merge patch (RFC 7396) of the changed paths. */
export type AccountValues = Partial<AccountState>;

/** A difference: `before` and `after` have the same fields; `before` is `null` for a creation, `after` for a deletion. */
export interface Difference {
  readonly action: Action;
  readonly before: AccountValues | null;
  readonly after: AccountValues | null;
  /** The names of the changed fields, and each changed path of the preferences: `preferences.theme`. */
  readonly fields: readonly string[];
}

/** A change of an account that is about to be recorded. */
export interface ChangeDraft extends Difference {
  readonly userId: number;
  /** The account's version after the change; a deletion counts as a change too. */
  readonly version: number;
  /** Whether the account is an admin before or after the change. */
  readonly ofAdmin: boolean;
  /** The id of the change that it undoes. */
  readonly undoes?: number;
  /** Whether its values are erased, see {@link erased}. */
  readonly erased?: true;
}

/** An entry of the history. */
export interface Change {
  readonly id: number;
  /** The account's `updatedAt`, for all but a deletion. */
  readonly at: Date;
  readonly actorId: number | null;
  readonly actor: string;
  readonly requestId: string | null;
  readonly userId: number;
  readonly action: Action;
  readonly before: AccountValues | null;
  readonly after: AccountValues | null;
  readonly version: number;
  readonly undoes: number | null;
  /** Why, in its author's words; `null` where they gave none. */
  readonly reason: string | null;
  /** When the values, and the email in `actor`, were erased. */
  readonly erasedAt: Date | null;
}

/** The name of an actor whose account has been erased: this prefix and the id. */
export const ERASED_ACTOR = 'erased-';

/** A longer path is left out of `fields`: an index has a limit, and nobody searches for it. Its parents are included. */
const MAX_PATH_LENGTH = 255;

/** The state of an account. */
export function stateOf(account: Pick<Account, StateField>): AccountState {
  const values = STATE_FIELDS.map((field) => [
    field,
    account[field] ?? (field === 'preferences' ? {} : null),
  ]);
  return Object.fromEntries(
    values.filter(([field, value]) => field !== 'roleUntil' || value !== null),
  ) as AccountState;
}

/** The creation of an account. */
export function creation(after: AccountState): Difference {
  return { action: 'created', before: null, after, fields: fieldsOf(after) };
}

/** The deletion of an account. */
export function deletion(before: AccountState): Difference {
  return { action: 'deleted', before, after: null, fields: fieldsOf(before) };
}

/** The difference between two states of an account; `undefined` where there is none. */
export function difference(before: AccountState, after: AccountState): Difference | undefined {
  const was: Record<string, unknown> = {};
  const is: Record<string, unknown> = {};
  for (const field of STATE_FIELDS) {
    // An entry from before a column existed does not have it, which says the same as null.
    if (field === 'preferences' || (before[field] ?? null) === (after[field] ?? null)) continue;
    was[field] = before[field] ?? null;
    is[field] = after[field] ?? null;
  }
  const patches = patchesBetween(before.preferences, after.preferences);
  if (patches !== undefined) {
    was['preferences'] = patches.before;
    is['preferences'] = patches.after;
  }
  const fields = fieldsOf(was, is);
  return fields.length === 0 ? undefined : { action: 'updated', before: was, after: is, fields };
}

/** The draft without its values. Names of preferences are erased too: they may tell as much. */
export function erased(draft: ChangeDraft): ChangeDraft {
  const fields = draft.fields.filter((name) => !name.includes('.'));
  return { ...draft, before: null, after: null, fields, erased: true };
}

/** Applies a change to the state before it. Returns `undefined` where the account does not exist afterwards. */
export function applyChange(
  state: AccountState | undefined,
  { action, after }: Pick<Change, 'action' | 'after'>,
): AccountState | undefined {
  if (action === 'deleted') return undefined;
  if (action === 'created') return after as AccountState;
  return { ...(state as AccountState), ...changed(state as AccountState, after ?? {}) };
}

/** Returns `values` with the whole preferences: the patch in `values` applied to those of `state`. */
export function changed(state: AccountState, values: AccountValues): AccountValues {
  if (values.preferences === undefined) return values;
  return { ...values, preferences: mergePatch(state.preferences, values.preferences) as Preferences };
}

function fieldsOf(...sides: object[]): string[] {
  const paths = new Set<string>();
  const collect = (value: object, prefix: string) => {
    for (const [key, inner] of Object.entries(value)) {
      const path = prefix + key;
      if (path.length > MAX_PATH_LENGTH) continue;
      paths.add(path);
      if (isObject(inner)) collect(inner, `${path}.`);
    }
  };
  for (const side of sides) collect(side, '');
  return [...paths];
}
