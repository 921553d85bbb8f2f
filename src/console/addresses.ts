/** The views of the console, by the names in their addresses: `/console/accounts`. */
export const VIEW_NAMES = [
  'overview',
  'accounts',
  'activity',
  'turned-away',
  'transfer',
  'access',
  'me',
] as const;

/** The name of a view. */
export type ViewName = (typeof VIEW_NAMES)[number];

/** The views of which each item has an address of its own: `/console/accounts/7`. */
export const ITEM_VIEW_NAMES = ['accounts'] as const satisfies readonly ViewName[];
