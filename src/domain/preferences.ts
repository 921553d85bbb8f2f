import { isDeepStrictEqual } from 'node:util';
import { type InputError, refusals } from './refusals.ts';

/** What a person prefers: an object of their app's own making. */
export type Preferences = Record<string, unknown>;

/** How deeply preferences may be nested: `{ a: 1 }` is one level. */
const MAX_DEPTH = 16;

/** How many faults are named at the most: a hostile body could have thousands. */
const MAX_FAULTS = 20;

/** What the operator allows. */
export interface PreferenceRules {
  /** Of the preferences as JSON, in UTF-8. */
  readonly maxBytes: number;
  /** What is wrong with them, by the operator's own schema, if there is one. */
  readonly faults?: (preferences: Preferences) => readonly InputError[];
}

/**
 * Applies a JSON Merge Patch (RFC 7396): objects are merged key by key, `null` removes a key, and anything else takes the
 * place of what was there. Returns a new value and leaves both arguments as they are.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  // Not by assignment, with which a key `__proto__` would set a prototype.
  return Object.fromEntries(result);
}

/**
 * Applies a merge patch to preferences, and holds the result against what can be kept and what the operator allows.
 * Throws `invalid_input` with every fault and its path.
 */
export function patchPreferences(
  preferences: Preferences,
  patch: Preferences,
  rules: PreferenceRules,
): Preferences {
  // The patch first: what is nested without end must not be followed.
  refuse(unstorable(patch));
  return checkPreferences(mergePatch(preferences, patch), rules);
}

/**
 * Holds preferences against what can be kept and what the operator allows. Returns what is to be kept: a name whose
 * value is `null` is not set, here as in a patch, so that patches can tell all that preferences may be.
 * Throws `invalid_input` with every fault and its path.
 */
export function checkPreferences(given: unknown, rules: PreferenceRules): Preferences {
  if (!isObject(given))
    throw refusals.invalidPreferences([{ path: 'preferences', message: 'They must be an object.' }]);
  // In this order: all that follows is recursive, and wants to know that it is shallow.
  refuse(unstorable(given));
  const preferences = mergePatch({}, given) as Preferences;
  refuse(rules.faults?.(preferences) ?? []);
  if (Buffer.byteLength(JSON.stringify(preferences)) > rules.maxBytes) {
    throw refusals.invalidPreferences([
      { path: 'preferences', message: `Must have at most ${rules.maxBytes} bytes.` },
    ]);
  }
  return preferences;
}

/** The same preferences with their names as PostgreSQL's jsonb has them, the shorter ones first: as they are shown once kept. */
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

/** What PostgreSQL's jsonb would refuse or change, or what is nested too deeply. */
function unstorable(preferences: Preferences): InputError[] {
  const errors: InputError[] = [];
  const pending: { value: unknown; path: string; depth: number }[] = [
    { value: preferences, path: 'preferences', depth: 1 },
  ];
  for (let item = pending.pop(); item !== undefined && errors.length < MAX_FAULTS; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === 'string' && !isStorableText(value)) {
      errors.push({ path, message: 'Text must have no NUL and no half of a surrogate pair.' });
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      errors.push({ path, message: 'The number is too large.' });
    } else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      errors.push({ path, message: 'A whole number of this size cannot be kept exactly.' });
    } else if (typeof value === 'object' && value !== null) {
      if (depth > MAX_DEPTH) {
        errors.push({ path, message: `It must be nested ${MAX_DEPTH} levels deep at most.` });
        continue;
      }
      for (const [key, inner] of Object.entries(value)) {
        const at = `${path}.${key}`;
        if (key === '__proto__') errors.push({ path: at, message: 'This name is not allowed.' });
        else if (!isStorableText(key))
          errors.push({ path, message: 'A name has a NUL or half of a surrogate pair.' });
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
    // Of what is not set, a patch says null; so it does of a null that was kept before there was a history.
    before.set(key, inner.before ?? null);
    after.set(key, inner.after ?? null);
  }
  if (before.size === 0) return undefined;
  return { before: Object.fromEntries(before), after: Object.fromEntries(after) };
}

function ownValue(preferences: Preferences, key: string): unknown {
  return Object.hasOwn(preferences, key) ? preferences[key] : undefined;
}

/** As JSON says them: it knows neither -0 nor an order of names. */
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

/** Whether PostgreSQL can keep the text: it knows no NUL, and no half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Whether it is an object in JSON's sense. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
