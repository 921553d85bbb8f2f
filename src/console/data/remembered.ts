/** What this browser remembers of the console, by its names in the browser's storage. Also read before the page's script is there. */
export const REMEMBERED = { theme: 'rollcall-theme', role: 'rollcall-role' } as const;
