/** What stands for a hidden value. */
export const MASK = '********';

/**
 * Hides what is secret in the URLs of a text: the user and the password, and the query, in which some providers require an API
 * key.
 */
export function maskUrls(text: string): string {
  // A raw `/` in a password may stand before the `@`: rather too much is hidden than too little.
  return text.replace(/(:\/\/)[^\s"']*@/g, `$1${MASK}@`).replace(/(:\/\/[^\s?"']*\?)[^\s"']+/g, `$1${MASK}`);
}
