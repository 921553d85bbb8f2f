/** The most characters (code points, as PostgreSQL counts them) that an address may have: the column's width. */
export const EMAIL_MAX_LENGTH = 255;

// A dot-atom (RFC 5321, section 4.1.2), in the letters and signs of every script (RFC 6531), but no blanks.
const ATOM = String.raw`(?:[a-z0-9!#$%&'*+/=?^_{|}~\x60\-]|[^\p{ASCII}\p{C}\p{Z}])+`;
const LABEL = String.raw`[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${LABEL}(?:\.${LABEL})+$`, 'u');

// Also among letters and accents there are some that leave no trace: two accounts that look the same must be the same.
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/**
 * The one form in which an email address is kept and compared: trimmed, NFKC-normalised, lower-cased.
 * Idempotent. The check constraint `users_email_normalized` holds the database to it.
 */
export function normalizeEmail(input: string): string {
  // Lower-casing can undo the normalisation, hence its second turn; NFKC can bring a blank to an end, hence trim last.
  return input.normalize('NFKC').toLowerCase().normalize('NFKC').trim();
}

/** Whether a *normalised* address is one that an account may have: a dot-atom at a dotted domain. */
export function isEmail(email: string): boolean {
  // The length first (in UTF-16 units, at most two a character): it bounds the work of the pattern.
  const isShort = email.length <= 2 * EMAIL_MAX_LENGTH && [...email].length <= EMAIL_MAX_LENGTH;
  return isShort && EMAIL.test(email) && !INVISIBLE.test(email);
}
