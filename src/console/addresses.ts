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

/** The script of a view, or of one of its items, by the beginning of its file's name; `undefined` for the view in the first script. */
export function scriptOf(view: ViewName | undefined, isItem = false): string | undefined {
  // What the console's own address shows to admins.
  if (view === undefined) return 'overview';
  if (view === 'accounts') return isItem ? 'account' : undefined;
  return view;
}
