/** Values of an account by their names; of the preferences, a whole or a merge patch. */
export type Values = Readonly<Record<string, unknown>>;

/** A value that differs. `undefined`: it is not among those of this side at all. */
export interface Difference {
  /** A field, or a path in the preferences: `preferences.theme`. */
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(values: Values | null | undefined, name: string): unknown {
  return values && Object.hasOwn(values, name) ? values[name] : undefined;
}

/** The values of two sides beside each other, those of objects by themselves: what an entry of the history has as `before` and `after`. */
export function differencesOf(
  before: Values | null | undefined,
  after: Values | null | undefined,
  above = '',
): Difference[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].flatMap((name) => {
    const [was, is] = [own(before, name), own(after, name)];
    const path = above + name;
    const isInside = (isObject(was) || was === undefined) && (isObject(is) || is === undefined);
    const inside = isInside
      ? differencesOf(was as Values | undefined, is as Values | undefined, `${path}.`)
      : [];
    // No preferences at all are nothing to show.
    return inside.length > 0 || path === 'preferences' ? inside : [{ path, was, is }];
  });
}

/** Applies a merge patch (RFC 7396). */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** The merge patch that makes `to` of `from`: empty where both say the same. */
export function patchBetween(from: Values, to: Values): Values {
  const patch = new Map<string, unknown>();
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, is] = [own(from, name), own(to, name)];
    if (isObject(was) && isObject(is)) {
      const inside = patchBetween(was, is);
      if (Object.keys(inside).length > 0) patch.set(name, inside);
    } else if (!isSame(was, is)) patch.set(name, is ?? null);
  }
  return Object.fromEntries(patch);
}

/** Whether two values say the same; the order of names does not count. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
