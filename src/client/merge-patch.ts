/** What preferences are: JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a value is an object, and so is merged. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a merge patch (RFC 7396) makes of a value; neither is changed. */
export function merged(target: unknown, patch: Json): Json {
  const result: Record<string, unknown> = { ...(isObject(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = isObject(value) ? merged(result[key], value) : value;
  }
  return result;
}

/** The merge patch that makes one value of another. */
export function patchBetween(from: Json, to: Json): Json {
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = from[key];
    if (isSame(before, value)) continue;
    patch[key] = isObject(before) && isObject(value) ? patchBetween(before, value) : value;
  }
  return patch;
}

/** Two merge patches, one after the other, as one. */
export function composed(first: Json, second: Json): Json {
  const result: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = first[key];
    result[key] = isObject(before) && isObject(value) ? composed(before, value) : value;
  }
  return result;
}

/** A merge patch without what another one has too. */
export function without(patch: Json, done: Json): Json {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(patch)) {
    const other = done[key];
    if (!(key in done)) result[key] = value;
    else if (isObject(value) && isObject(other)) {
      const rest = without(value, other);
      if (!isEmpty(rest)) result[key] = rest;
    } else if (!isSame(value, other)) result[key] = value;
  }
  return result;
}

/** The paths that a merge patch sets or removes. */
export function pathsOf(patch: Json, above: readonly string[] = []): string[][] {
  return Object.entries(patch).flatMap(([key, value]) =>
    isObject(value) && !isEmpty(value) ? pathsOf(value, [...above, key]) : [[...above, key]],
  );
}

/** The value at a path; `undefined` where there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at: unknown, key) => (isObject(at) ? at[key] : undefined), value);
}

/** A merge patch that sets one path. */
export function patchAt(path: readonly string[], value: unknown): Json {
  const [key = '', ...rest] = path;
  return { [key]: rest.length === 0 ? value : patchAt(rest, value) };
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
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}
