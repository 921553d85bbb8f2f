import { isIP } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { hasInvisible } from './visible-text.ts';

/** Characters that a URL has around its host: a text with one of them is not a domain. */
const NO_DOMAIN = /[\s\p{Cc}/?#\\%@:]/u;

/** The most characters of a domain that is converted: more than the DNS has, and few enough to convert at each sign-in. */
const MAX_LENGTH = 255;

/** The pattern of a label in its own script. */
export const LABEL = String.raw`[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?`;
const WHOLE_LABEL = new RegExp(`^${LABEL}$`, 'u');

/**
 * A domain in lower case and ASCII, as the DNS has it (UTS 46), so that a name has one form in every script. `undefined` for
 * anything but a domain of two labels or more, such as an IP address.
 */
export function asciiDomain(name: string): string | undefined {
  const ascii = name.length > MAX_LENGTH || NO_DOMAIN.test(name) ? '' : domainToASCII(name);
  if (isIP(ascii)) return undefined;
  return /^[a-z\d_-]+(?:\.[a-z\d_-]+)+$/.test(ascii) ? ascii : undefined;
}

/** The forms of a domain in the form of {@link asciiDomain}: itself, as it is stored, and in its own script throughout. */
export function domainForms(ascii: string): readonly string[] {
  return [...new Set([readableDomain(ascii), ascii, domainToUnicode(ascii)])];
}

/** A domain as people read it, the form that is stored: each label of {@link asciiDomain} in its own script. */
export function readableDomain(ascii: string): string {
  return ascii.split('.').map(readableLabel).join('.');
}

/**
 * A label in its own script, where that form is the only one and can be seen: letters in lower case and composed. Any other
 * label, such as one with signs or with joiners between its letters, stays in ASCII.
 */
export function readableLabel(ascii: string): string {
  if (!ascii.startsWith('xn--')) return ascii;
  const label = domainToUnicode(ascii);
  return WHOLE_LABEL.test(label) && !hasInvisible(label) && foldCase(label) === label ? label : ascii;
}

/** Whether each label of a domain that is written in ASCII stands for something (RFC 5891, section 4.4). */
export function isDecodable(ascii: string): boolean {
  return ascii.split('.').every((label) => {
    const unicode = label.startsWith('xn--') ? domainToUnicode(label) : '';
    return unicode !== label && !/^-|-$/.test(unicode);
  });
}

/** A text in NFKC and lower case, in whatever case and composition it was. Idempotent. */
export function foldCase(text: string): string {
  // Lower case can undo the normalization, so it is repeated.
  return text.normalize('NFKC').toLowerCase().normalize('NFKC');
}
