import { isDeepStrictEqual } from 'node:util';
import type { InputError } from './refusal.ts';
import { refusals } from './refusals.ts';

/** An account's preferences: an object of the app's own making. */
export type Preferences = Record<string, unknown>;

/** The deepest nesting of preferences: `{ a: 1 }` is one level. */
const MAX_DEPTH = 16;

/** The most faults that are named: a hostile body could have thousands. */
const MAX_FAULTS = 20;

/** The operator's rules for preferences. */
export interface PreferenceRules {
  /** The most bytes of the preferences as JSON in UTF-8. */
  readonly maxBytes: number;
  /** Finds faults by the operator's own schema, if there is one. */
  readonly faults?: (preferences: Preferences) => readonly InputError[];
}

/**
 * Applies a JSON Merge Patch (RFC 7396): objects are merged key by key, `null` removes a key, and anything else replaces the
 * value. Returns a new value and does not change its arguments.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  // Not by assignment: a key `__proto__` would set the prototype.
  return Object.fromEntries(result);
}

/**
 * Applies a merge patch to preferences and checks the result against the limits of storage and the operator's rules. Throws
 * `invalid_input` with every fault and its path.
 */
export function patchPreferences(
  preferences: Preferences,
  patch: Preferences,
  rules: PreferenceRules,
): Preferences {
  // The patch first: merging follows its nesting, which must have a limit.
  refuse(unstorable(patch));
  return checkPreferences(mergePatch(preferences, patch), rules);
}

/**
 * Checks preferences against the limits of storage and the operator's rules, and returns what to store: a name whose value is
 * `null` is not set, as in a patch, so that patches can express everything that preferences can be. Throws `invalid_input`
 * with every fault and its path.
 */
export function checkPreferences(given: unknown, rules: PreferenceRules): Preferences {
  if (!isObject(given))
    throw refusals.invalidPreferences([{ path: 'preferences', message: 'Must be an object.' }]);
  // First: everything after it is recursive and needs limited nesting.
  if (!isStorable(given)) refuse(unstorable(given));
  const preferences = hasNulls(given) ? (mergePatch({}, given) as Preferences) : given;
  // Before the operator's schema, whose cost grows with the size.
  if (printedBytes(preferences) > rules.maxBytes) {
    throw refusals.invalidPreferences([
      { path: 'preferences', message: `Must have at most ${rules.maxBytes} bytes.` },
    ]);
  }
  refuse((rules.faults?.(preferences) ?? []).slice(0, MAX_FAULTS));
  return preferences;
}

/** The bytes of the preferences as PostgreSQL prints them, with all digits of each number: `1e-300` has three hundred. */
function printedBytes(preferences: Preferences): number {
  const json = JSON.stringify(preferences);
  let zeros = 0;
  // Few texts have something that looks like such a number.
  if (/\de-\d/.test(json))
    JSON.stringify(preferences, (_, value) => {
      if (typeof value === 'number') zeros += Number(/e-(\d+)$/.exec(`${value}`)?.[1] ?? 0);
      return value;
    });
  return Buffer.byteLength(json) + zeros;
}

/** The preferences with their names in the order of PostgreSQL's jsonb, shorter ones first: as they look once stored. */
export function asStored(preferences: Preferences): Preferences {
  const sorted = Object.entries(preferences)
    .map(([name, value]) => ({ bytes: Buffer.from(name), name, value }))
    .sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(
    sorted.map(({ name, value }) => [name, isObject(value) ? asStored(value) : value]),
  );
}

function refuse(errors: readonly InputError[]): void {
  if (errors.length > 0) throw refusals.invalidPreferences(errors);
}

/** Whether {@link unstorable} finds nothing: without paths, which takes a fraction of the time. */
function isStorable(value: unknown, depth = 1): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((inner) => isStorable(inner, depth + 1));
  return Object.keys(value).every(
    (key) =>
      key !== '__proto__' &&
      isStorableText(key) &&
      isStorable((value as Record<string, unknown>)[key], depth + 1),
  );
}

/** Whether a merge patch removes anything, at any level of its objects. */
function hasNulls(patch: Record<string, unknown>): boolean {
  return Object.values(patch).some((value) => value === null || (isObject(value) && hasNulls(value)));
}

/** Finds what PostgreSQL's jsonb would refuse or change, and what is nested too deeply. */
function unstorable(preferences: Preferences): InputError[] {
  const errors: InputError[] = [];
  const pending: { value: unknown; path: string; depth: number }[] = [
    { value: preferences, path: 'preferences', depth: 1 },
  ];
  for (let item = pending.pop(); item !== undefined && errors.length < MAX_FAULTS; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === 'string' && !isStorableText(value)) {
      errors.push({ path, message: 'Must not contain NUL or half a surrogate pair.' });
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      errors.push({ path, message: 'The number is too large.' });
    } else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      errors.push({ path, message: 'A whole number of this size cannot be stored exactly.' });
    } else if (typeof value === 'object' && value !== null) {
      if (depth > MAX_DEPTH) {
        errors.push({ path, message: `Must be nested at most ${MAX_DEPTH} levels deep.` });
        continue;
      }
      for (const [key, inner] of Object.entries(value)) {
        const at = `${path}.${key}`;
        if (key === '__proto__') errors.push({ path: at, message: 'This name is not allowed.' });
        else if (!isStorableText(key))
          errors.push({ path, message: 'A name contains NUL or half a surrogate pair.' });
        else pending.push({ value: inner, path: at, depth: depth + 1 });
      }
    }
  }
  return errors.reverse();
}

/** The merge patches between two preferences, back (`before`) and forth (`after`); `undefined` where both say the same. */
export function patchesBetween(
  from: Preferences,
  to: Preferences,
): { before: Preferences; after: Preferences } | undefined {
  const before = new Map<string, unknown>();
  const after = new Map<string, unknown>();
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, is] = [ownValue(from, key), ownValue(to, key)];
    const inner = isObject(was) && isObject(is) ? patchesBetween(was, is) : differing(was, is);
    if (inner === undefined) continue;
    // In a patch, null means not set; older versions also stored nulls.
    before.set(key, inner.before ?? null);
    after.set(key, inner.after ?? null);
  }
  if (before.size === 0) return undefined;
  return { before: Object.fromEntries(before), after: Object.fromEntries(after) };
}

function ownValue(preferences: Preferences, key: string): unknown {
  return Object.hasOwn(preferences, key) ? preferences[key] : undefined;
}

/** Compares as JSON, which has neither -0 nor an order of names. */
function differing(before: unknown, after: unknown): { before: unknown; after: unknown } | undefined {
  if (before === after) return undefined;
  const plain = (value: unknown): unknown =>
    value === undefined ? value : JSON.parse(JSON.stringify(value));
  return isDeepStrictEqual(plain(before), plain(after)) ? undefined : { before, after };
}

/** Whether two preferences say different things. */
export function preferencesDiffer(from: Preferences, to: Preferences): boolean {
  return patchesBetween(from, to) !== undefined;
}

/** Whether PostgreSQL can store the text: it has neither NUL nor half a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
