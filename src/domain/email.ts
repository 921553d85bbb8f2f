import {
  asciiDomain,
  domainForms,
  foldCase,
  isDecodable,
  LABEL,
  readableDomain,
  readableLabel,
} from './domain-name.ts';
import { hasInvisible } from './visible-text.ts';

/** The most characters of an email address (code points, as PostgreSQL counts them): the column's width. */
export const EMAIL_MAX_LENGTH = 255;

// A dot-atom (RFC 5321, section 4.1.2) in the letters and signs of every script (RFC 6531), without blanks.
const ATOM = String.raw`(?:[a-z0-9!#$%&'*+/=?^_{|}~\x60\-]|[^\p{ASCII}\p{C}\p{Z}])+`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${LABEL}(?:\.${LABEL})+$`, 'u');

/** What keyboards for Chinese, Japanese and Korean write in place of ASCII. */
const FULLWIDTH = /[\uff01-\uff60\u3000]/g;

/** A domain that is the same in every form: letters, digits and signs of ASCII, and none of the labels that are encoded. */
const PLAIN_DOMAIN = /^(?!.*xn--)[ -~]*$/;

/** Invisible characters that are none where two letters need one between them. */
const JOINERS = /[\u200c\u200d]/g;

/**
 * The canonical form of an email address, the one that is stored: trimmed, NFKC-normalized, lower case, and the domain as
 * people read it (`ada@müller.example`, also for `ada@xn--mller-kva.example`). Idempotent. The check constraint
 * `users_email_normalized` enforces all but the domain in the database.
 */
export function normalizeEmail(input: string): string {
  // NFKC can turn an end into a blank, so trimming comes after it.
  const folded = foldCase(input).trim();
  const [local, domain] = split(folded);
  if (PLAIN_DOMAIN.test(domain) || hasInvisible(domain.replace(JOINERS, ''))) return folded;
  const ascii = asciiDomain(domain);
  return ascii === undefined ? folded : local + readableDomain(ascii);
}

/** Whether an account may have this *normalized* address: a dot-atom at a dotted domain that exists in the DNS's rules. */
export function isEmail(email: string): boolean {
  // Length first (at most two UTF-16 units a character): it bounds the work of the patterns.
  const isShort = email.length <= 2 * EMAIL_MAX_LENGTH && [...email].length <= EMAIL_MAX_LENGTH;
  return (
    isShort &&
    EMAIL.test(email) &&
    // Some letters and accents are invisible: two accounts that look the same must be the same.
    !hasInvisible(email) &&
    normalizeEmail(email) === email &&
    (PLAIN_DOMAIN.test(split(email)[1]) || hasDecodableDomain(email))
  );
}

// The same in ASCII and lower case, without labels that stand for others: each of them is its own canonical form.
const PLAIN_ATOM = String.raw`[a-z0-9!#$%&'*+/=?^_{|}~\x60\-]+`;
const PLAIN_LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const PLAIN_EMAIL = new RegExp(
  String.raw`^(?!.*xn--)${PLAIN_ATOM}(?:\.${PLAIN_ATOM})*@${PLAIN_LABEL}(?:\.${PLAIN_LABEL})+$`,
);

/** Whether this is an address, normalized, that can be seen to be one quickly, as most can. */
export function isPlainEmail(text: string): boolean {
  return text.length <= EMAIL_MAX_LENGTH && PLAIN_EMAIL.test(text);
}

/** The forms of a *normalized* address that mean the same: itself first, and with its domain in ASCII and in its own script. */
export function emailForms(email: string): readonly string[] {
  const [local, domain] = split(email);
  const ascii = PLAIN_DOMAIN.test(domain) ? undefined : asciiDomain(domain);
  return ascii === undefined ? [email] : domainForms(ascii).map((form) => local + form);
}

/**
 * Whether an identity provider means this address and no other: it is one of the {@link emailForms}, apart from case and
 * blanks around it. Two accounts at a provider can differ in characters that NFKC makes equal (`ª` and `a`), so neither may
 * stand for the other here.
 */
export function isUnambiguousEmail(claimed: string): boolean {
  const trimmed = claimed.trim();
  return (
    trimmed.normalize('NFKC') === trimmed &&
    emailForms(normalizeEmail(trimmed)).includes(trimmed.toLowerCase().normalize('NFC'))
  );
}

/**
 * Whether somebody has typed, or a file contains, an address that can be taken for another one. Other than for a provider,
 * fullwidth letters and decomposed accents are fine: keyboards and file systems write them, and the answer shows the result.
 */
export function isAmbiguousTyped(typed: string): boolean {
  const plain = typed
    .replace(FULLWIDTH, (character) => character.normalize('NFKC'))
    .normalize('NFC')
    .trim();
  return plain.normalize('NFKC') !== plain;
}

/** A part of an address, in the form in which it is part of the stored one. Not trimmed: no address contains blanks. */
export function normalizeEmailPart(part: string): string {
  return foldCase(part).replace(/xn--[a-z\d-]+/g, readableLabel);
}

/** The domain of a *normalized* address in ASCII, `undefined` where it has none. */
export function domainOf(email: string): string | undefined {
  return asciiDomain(split(email)[1]);
}

function hasDecodableDomain(email: string): boolean {
  const ascii = domainOf(email);
  return ascii !== undefined && isDecodable(ascii);
}

/** The local part with its @, and the domain. */
function split(email: string): [local: string, domain: string] {
  const at = email.lastIndexOf('@') + 1;
  return [email.slice(0, at), email.slice(at)];
}
