/** Names that begin like this belong to a family of trackers. */
const FAMILIES = /^(?:utm_|mtm_|pk_)\w*$/;

/**
 * The parameters that advertising and mailing platforms append to links, and `_`, which libraries add against caches. Not every
 * name that begins with `_`: some APIs call their filters `_limit` or `_role`.
 */
const ADDED = new Set([
  '_',
  '_branch_match_id',
  '_ga',
  '_gl',
  '_hsenc',
  '_hsmi',
  '_ke',
  '_kx',
  '_openstat',
  'dclid',
  'epik',
  'fbclid',
  'gad_source',
  'gbraid',
  'gclid',
  'gclsrc',
  'igshid',
  'li_fat_id',
  'mc_cid',
  'mc_eid',
  'msclkid',
  'srsltid',
  'ttclid',
  'twclid',
  'wbraid',
  'yclid',
]);

/**
 * Whether a parameter of a read is none of ours: browsers, caches and trackers add it to any URL. No filter has such a name,
 * and no typing error turns one of ours into it.
 */
export function isIgnoredParameter(name: string): boolean {
  return FAMILIES.test(name) || ADDED.has(name);
}
