/** An entity with versions, and so with entity tags. */
export interface Versioned {
  readonly version: number;
}

/** The entity tag of a version: strong, because a version is one representation, byte by byte. */
export function entityTag({ version }: Versioned): string {
  return `"${version}"`;
}

/**
 * Whether an `If-Match` allows a change of `entity` (RFC 9110, section 13.1.1): `*`, or a list with its tag. The comparison is
 * strong: a weak tag (`W/"1"`) never matches. Without the header every change is allowed.
 */
export function ifMatchPasses(ifMatch: string, entity: Versioned): boolean {
  if (ifMatch === '' || ifMatch.trim() === '*') return true;
  return tagsIn(ifMatch).includes(entityTag(entity));
}

/**
 * Whether an `If-None-Match` says that the caller has the representation with this tag (RFC 9110, section 13.1.2): `*`, or a
 * list with the tag. The comparison is weak: `W/"1"` matches `"1"`. Not `ctx.fresh`: it is always false for Node's own
 * `fetch`, which sends `Cache-Control: no-cache` along with the header.
 */
export function isKnownTo(ifNoneMatch: string, tag: string): boolean {
  return ifNoneMatch.trim() === '*' || tagsIn(ifNoneMatch).some((known) => weak(known) === weak(tag));
}

function tagsIn(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

function weak(tag: string): string {
  return tag.replace(/^W\//, '');
}
