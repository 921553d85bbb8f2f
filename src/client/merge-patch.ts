/** What preferences are: JSON. Any name may be one of theirs, also `__proto__` and `constructor`: own names alone count, and none is assigned. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a value is an object, and so is merged. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a name; `undefined` where the object has none of its own. */
export function own(values: Json | null | undefined, name: string): unknown {
  return values && Object.hasOwn(values, name) ? values[name] : undefined;
}

/** What a merge patch (RFC 7396) makes of a value; neither is changed. */
export function merged(target: unknown, patch: Json): Json {
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, isObject(value) ? merged(result.get(name), value) : value);
  }
  return Object.fromEntries(result);
}

/** The merge patch that makes `to` of `from`: empty where both say the same. */
export function patchBetween(from: Json, to: Json): Json {
  const patch = new Map<string, unknown>();
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, is] = [own(from, name), own(to, name)];
    if (isSame(was, is)) continue;
    patch.set(name, isObject(was) && isObject(is) ? patchBetween(was, is) : (is ?? null));
  }
  return Object.fromEntries(patch);
}

/** Two merge patches, one after the other, as one. */
export function composed(first: Json, second: Json): Json {
  const result = new Map(Object.entries(first));
  for (const [name, value] of Object.entries(second)) {
    const before = result.get(name);
    result.set(name, isObject(before) && isObject(value) ? composed(before, value) : value);
  }
  return Object.fromEntries(result);
}

/** A merge patch without what another one has too. */
export function without(patch: Json, done: Json): Json {
  const result = new Map<string, unknown>();
  for (const [name, value] of Object.entries(patch)) {
    const other = own(done, name);
    if (isObject(value) && isObject(other)) {
      const rest = without(value, other);
      if (!isEmpty(rest)) result.set(name, rest);
    } else if (!isSame(value, other)) result.set(name, value);
  }
  return Object.fromEntries(result);
}

/** The paths that a merge patch sets or removes. */
export function pathsOf(patch: Json, above: readonly string[] = []): string[][] {
  return Object.entries(patch).flatMap(([name, value]) =>
    isObject(value) && !isEmpty(value) ? pathsOf(value, [...above, name]) : [[...above, name]],
  );
}

/** The value at a path; `undefined` where there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at, name) => (isObject(at) ? own(at, name) : undefined), value);
}

/** A merge patch that sets one path. */
export function patchAt(path: readonly string[], value: unknown): Json {
  const [name = '', ...rest] = path;
  return Object.fromEntries([[name, rest.length === 0 ? value : patchAt(rest, value)]]);
}

export function isEmpty(value: Json): boolean {
  return Object.keys(value).length === 0;
}

/** Whether two values of JSON are the same, whatever the order of their members. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => isSame(value, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  );
}
