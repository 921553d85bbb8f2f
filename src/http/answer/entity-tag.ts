import type { Versioned } from '../endpoint.ts';

/** The entity tag of a version: strong, because a version is one representation to the byte. */
export function entityTag({ version }: Versioned): string {
  return `"${version}"`;
}

/**
 * Whether an `If-Match` lets a change of `entity` pass (RFC 9110, section 13.1.1): `*`, or a list that has its tag. The
 * comparison is the strong one, for which a weak tag (`W/"1"`) never matches. Without the header everything passes.
 */
export function ifMatchPasses(ifMatch: string, entity: Versioned): boolean {
  if (ifMatch === '' || ifMatch.trim() === '*') return true;
  return tagsIn(ifMatch).includes(entityTag(entity));
}

/**
 * Whether an `If-None-Match` says that the caller has what this tag stands for (RFC 9110, section 13.1.2): `*`, or a list
 * that has it. The comparison is the weak one, for which `W/"1"` is `"1"`. Not `ctx.fresh`: that one never says so to
 * Node's own `fetch`, which sends `Cache-Control: no-cache` along with the header.
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
