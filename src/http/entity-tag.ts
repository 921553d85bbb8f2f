import type { Versioned } from './endpoint.ts';

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
  const tags: string[] = ifMatch.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.includes(entityTag(entity));
}
