import type { Difference } from './change.ts';

/** The most names under which the index has a change. Preferences can have thousands of paths. */
const MAX_NAMES = 64;

/** How deep into the preferences a change with more paths is indexed: `preferences.a.b.c` at most. */
const MAX_DOTS = 3;

/** Before a path that no change has: something below it has changed that has no name of its own in the index. */
const BELOW = '*';

/**
 * The names under which the index of the history by fields has a change, at most {@link MAX_NAMES}: its fields and paths. Where
 * they are too many, only the upper levels of the preferences, and a mark at each path with more below it: who searches for
 * something below looks at the change itself. So no search misses a change ({@link marksAbove}).
 *
 * Creations and deletions have every field; only their paths are indexed.
 */
export function indexNames({ action, fields }: Pick<Difference, 'action' | 'fields'>): readonly string[] {
  const all = action === 'updated' ? fields : fields.filter((name) => name.includes('.'));
  if (all.length <= MAX_NAMES) return all;
  let fitting: readonly string[] = [];
  for (let dots = 0; dots <= MAX_DOTS; dots++) {
    const upper = new Set(fields.filter((name) => dotsIn(name) <= dots));
    const names = new Set(all.filter((name) => upper.has(name)));
    for (const name of fields) {
      if (!upper.has(name)) names.add(BELOW + prefixes(name, dots).findLast((prefix) => upper.has(prefix)));
    }
    if (names.size > MAX_NAMES) break;
    fitting = [...names];
  }
  return fitting;
}

/** The marks under which the index has a change of this field or path, where it does not have it by its name. */
export function marksAbove(field: string): readonly string[] {
  return prefixes(field, MAX_DOTS).map((prefix) => BELOW + prefix);
}

/** The beginnings of a path at its dots, with at most so many dots, shortest first, without itself. */
function prefixes(path: string, maxDots: number): readonly string[] {
  const found: string[] = [];
  for (let end = path.indexOf('.'); end >= 0 && found.length <= maxDots; end = path.indexOf('.', end + 1)) {
    found.push(path.slice(0, end));
  }
  return found;
}

function dotsIn(name: string): number {
  return name.split('.', MAX_DOTS + 2).length - 1;
}
