import { hasInvisible } from './visible-text.ts';

/** The most characters of an email address (code points, as PostgreSQL counts them): the column's width. */
export const EMAIL_MAX_LENGTH = 255;

// A dot-atom (RFC 5321, section 4.1.2) in the letters and signs of every script (RFC 6531), without blanks.
const ATOM = String.raw`(?:[a-z0-9!#$%&'*+/=?^_{|}~\x60\-]|[^\p{ASCII}\p{C}\p{Z}])+`;
const LABEL = String.raw`[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${LABEL}(?:\.${LABEL})+$`, 'u');

/**
 * The canonical form of an email address: trimmed, NFKC-normalized, lower case. Idempotent. The check constraint
 * `users_email_normalized` enforces it in the database.
 */
export function normalizeEmail(input: string): string {
  // Lower case can undo the normalisation, so it is repeated; NFKC can turn an end into a blank, so trimming comes last.
  return input.normalize('NFKC').toLowerCase().normalize('NFKC').trim();
}

/** Whether an account may have this *normalized* address: a dot-atom at a dotted domain. */
export function isEmail(email: string): boolean {
  // Length first (at most two UTF-16 units a character): it bounds the work of the pattern.
  const isShort = email.length <= 2 * EMAIL_MAX_LENGTH && [...email].length <= EMAIL_MAX_LENGTH;
  // Some letters and accents are invisible: two accounts that look the same must be the same.
  return isShort && EMAIL.test(email) && !hasInvisible(email);
}
