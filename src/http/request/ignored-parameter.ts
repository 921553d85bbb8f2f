/** Names that begin like this belong to a family of trackers, or are made up against caches (`_`). */
const FAMILIES = /^(?:_|utm_|mtm_|pk_)\w*$/;

/** The parameters that advertising and mailing platforms append to links. */
const CLICK_IDS = new Set([
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
  return FAMILIES.test(name) || CLICK_IDS.has(name);
}
