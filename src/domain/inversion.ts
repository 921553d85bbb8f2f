import type { AccountState, AccountValues, Change } from './change.ts';
import { isObject, type Preferences, preferencesDiffer } from './preferences.ts';

/**
 * Fields and preference paths whose value has changed since this entry: while there are any, an undo would take back more than
 * the entry.
 */
export function movedOn({ before, after }: Pick<Change, 'before' | 'after'>, state: AccountState): string[] {
  const { preferences, ...fields }: AccountValues = after ?? {};
  const moved = Object.entries(fields)
    .filter(([field, value]) => (state[field as keyof typeof fields] ?? null) !== value)
    .map(([field]) => field);
  const paths = movedPaths(preferences ?? {}, before?.preferences ?? {}, state.preferences, 'preferences');
  return [...moved, ...paths];
}

function movedPaths(after: Preferences, before: Preferences, now: Preferences, parent: string): string[] {
  return Object.entries(after).flatMap(([key, given]) => {
    const path = `${parent}.${key}`;
    const was = before[key];
    const is = Object.hasOwn(now, key) ? now[key] : null;
    // Where both sides are objects, the change is inside of them; otherwise it replaced the whole value.
    if (isObject(given) && isObject(was) && isObject(is)) return movedPaths(given, was, is, path);
    const isInside = isObject(given) && isObject(was);
    return !isInside && !preferencesDiffer({ given }, { given: is }) ? [] : [path];
  });
}
