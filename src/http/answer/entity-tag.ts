/** An entity with versions, and so with entity tags. */
export interface Versioned {
  readonly version: number;
}

/**
 * The entity tag of a version: strong, because a version is one representation, byte by byte, but for `lastSeenAt`, which is no part of
 * what a writer could overwrite.
 */
export function entityTag({ version }: Versioned): string {
  return `"${version}"`;
}

/**
 * Whether an `If-Match` allows a change of `entity` (RFC 9110, section 13.1.1): `*`, or a list with its tag. An empty list allows none:
 * it comes from a caller that has lost its tag.
 *
 * A tag that a proxy changed because it compressed the answer still counts: it names one version all the same, so comparing
 * it loses no update, although the RFC compares strongly.
 */
export function ifMatchPasses(ifMatch: string, entity: Versioned): boolean {
  return lists(ifMatch, entityTag(entity));
}

/**
 * Whether an `If-None-Match` says that the caller has the representation with this tag (RFC 9110, section 13.1.2): `*`, or a
 * list with the tag. The comparison is weak: `W/"1"` matches `"1"`. Not `ctx.fresh`: it is always false for Node's own
 * `fetch`, which sends `Cache-Control: no-cache` along with the header.
 */
export function isKnownTo(ifNoneMatch: string, tag: string): boolean {
  return lists(ifNoneMatch, tag);
}

function lists(header: string, tag: string): boolean {
  return header.trim() === '*' || tagsIn(header).some((listed) => opaque(listed) === opaque(tag));
}

function tagsIn(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/**
 * The part of a tag that proxies leave alone when they compress an answer: nginx and Cloudflare put `W/` in front; Apache and
 * Caddy append the coding, as in `"2-gzip"`.
 */
function opaque(tag: string): string {
  return tag.replace(/^W\//, '').replace(/-(?:gzip|br|zstd|deflate)"$/, '"');
}
