import { isObject, mergePatch, type Preferences, patchesBetween } from './preferences.ts';
import { type Account, COLUMNS, type Column, type User } from './user.ts';

/** What can befall an account. */
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
export type AccountState = { readonly [Field in StateField]: Recorded<Field> } & {
  /** Only where it is not the time of the change: a restored account keeps its age. ISO 8601, in UTC. */
  readonly createdAt?: string;
};

/** Some of its fields; of the preferences, a merge patch (RFC 7396) that has the changed paths alone. */
export type AccountValues = Partial<AccountState>;

/** What has changed: `before` and `after` have the same fields, and each is `null` where there was or is no account. */
export interface Difference {
  readonly action: Action;
  readonly before: AccountValues | null;
  readonly after: AccountValues | null;
  /** The names of the changed fields, with each changed path of the preferences: `preferences.theme`. */
  readonly fields: readonly string[];
}

/** A change to an account, as it is handed to the history. */
export interface ChangeDraft extends Difference {
  readonly userId: number;
  /** The account's, after the change; a deletion counts as one, too. */
  readonly version: number;
  /** Whether the account is an admin, before the change or after it. */
  readonly ofAdmin: boolean;
  /** Whether it has no values any more, as {@link erased} leaves it. */
  readonly erased?: true;
}

/** An entry of the history, but for its id: so it also exists where it is taken back again. */
export interface RecordedChange {
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
  /** When the values were erased, with the person's email in `actor`. */
  readonly erasedAt: Date | null;
}

/** An entry of the history. */
export interface Change extends RecordedChange {
  readonly id: number;
}

/** What an actor is called whose account has been erased: this, and the id. */
export const ERASED_ACTOR = 'erased-';

/** A longer path is not among the `fields`: an index takes no more, and nobody asks for it. Its parents are. */
const MAX_PATH_LENGTH = 255;

/** The state of an account. */
export function stateOf(account: Pick<Account, StateField>): AccountState {
  const values = STATE_FIELDS.map((field) => [
    field,
    account[field] ?? (field === 'preferences' ? {} : null),
  ]);
  return Object.fromEntries(values);
}

/** An account comes into being. */
export function creation(after: AccountState): Difference {
  return { action: 'created', before: null, after, fields: fieldsOf(after) };
}

/** An account goes. */
export function deletion(before: AccountState): Difference {
  return { action: 'deleted', before, after: null, fields: fieldsOf(before) };
}

/** The difference between two states of an account; `undefined` where there is none. */
export function difference(before: AccountState, after: AccountState): Difference | undefined {
  const was: Record<string, unknown> = {};
  const is: Record<string, unknown> = {};
  for (const field of STATE_FIELDS) {
    if (field === 'preferences' || before[field] === after[field]) continue;
    was[field] = before[field];
    is[field] = after[field];
  }
  const patches = patchesBetween(before.preferences, after.preferences);
  if (patches !== undefined) {
    was['preferences'] = patches.before;
    is['preferences'] = patches.after;
  }
  const fields = fieldsOf(was, is);
  return fields.length === 0 ? undefined : { action: 'updated', before: was, after: is, fields };
}

/** The fact without the person. Names of preferences go with the values: they may tell as much. */
export function erased(draft: ChangeDraft): ChangeDraft {
  const fields = draft.fields.filter((name) => !name.includes('.'));
  return { ...draft, before: null, after: null, fields, erased: true };
}

/** The state of an account after a change, from the one before it; `undefined` where there is no account. */
export function applyChange(
  state: AccountState | undefined,
  { action, after }: Pick<Change, 'action' | 'after'>,
): AccountState | undefined {
  if (action === 'deleted') return undefined;
  if (action === 'created') return after as AccountState;
  return { ...(state as AccountState), ...changed(state as AccountState, after ?? {}) };
}

/** `values`, with whole preferences in the place of a patch of those of `state`. */
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
