import { isObject, isSame, type Json, own } from '../../client/merge-patch.ts';

/** Values of an account by their names; of the preferences, a whole or a merge patch. */
export type Values = Json;

/** A value that differs. `undefined`: it is not among those of this side at all. */
export interface Difference {
  /** A field, or a path in the preferences: `preferences.theme`. */
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
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

/** A value that two sides have changed in different ways. */
export interface Conflict {
  readonly path: readonly string[];
  readonly theirs: unknown;
  readonly mine: unknown;
}

/** The key of a path in a set of choices. */
export function keyOf(path: readonly string[]): string {
  return JSON.stringify(path);
}

/**
 * Merges two changes of the same values: what one side alone has changed is as that side has it. Of a conflict, the merged values have
 * mine where `mineAt` has its {@link keyOf}, and theirs otherwise.
 */
export function mergeSides(
  base: Values,
  theirs: Values,
  mine: Values,
  mineAt: ReadonlySet<string>,
  above: readonly string[] = [],
): { readonly merged: Values; readonly conflicts: readonly Conflict[] } {
  const merged = new Map<string, unknown>();
  const conflicts: Conflict[] = [];
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const path = [...above, name];
    const [was, its, my] = [own(base, name), own(theirs, name), own(mine, name)];
    let value: unknown;
    if (isSame(was, my)) value = its;
    else if (isSame(was, its) || isSame(its, my)) value = my;
    else if (isObject(its) && isObject(my)) {
      const inside = mergeSides(isObject(was) ? was : {}, its, my, mineAt, path);
      value = inside.merged;
      conflicts.push(...inside.conflicts);
    } else {
      conflicts.push({ path, theirs: its, mine: my });
      value = mineAt.has(keyOf(path)) ? my : its;
    }
    if (value !== undefined) merged.set(name, value);
  }
  return { merged: Object.fromEntries(merged), conflicts };
}

/** Values with another one at a path; `undefined` removes it. */
export function withValue(values: Values, [name = '', ...inner]: readonly string[], value: unknown): Values {
  const result = new Map(Object.entries(values));
  const before = result.get(name);
  const after = inner.length > 0 ? withValue(isObject(before) ? before : {}, inner, value) : value;
  if (after === undefined) result.delete(name);
  else result.set(name, after);
  return Object.fromEntries(result);
}
