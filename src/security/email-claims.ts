import type { JWTPayload } from 'jose';
import { isInDomains } from '../domain/access.ts';
import { isUnambiguousEmail, normalizeEmail } from '../domain/email.ts';
import { InvalidToken } from './token.ts';

/** Where a source's tokens have the email, and which emails it may speak for. */
export interface EmailRules {
  /** The first of these claims that a token has holds the email. Never empty. */
  readonly claims: readonly string[];
  /** Claims other than `email` whose emails count as verified without a word in the token. */
  readonly trusted: readonly string[];
  /** The only domains whose emails it may speak for, in the form of `accessDomain`; empty: any. */
  readonly domains: readonly string[];
}

/** The email in a token, and whether its source vouches for it. */
export interface ClaimedEmail {
  readonly email: string;
  /** Whether the source says that it is verified. */
  readonly isVerified: boolean;
  /** Why it counts as unverified, for the log. */
  readonly doubt?: string;
}

/**
 * The email in verified claims. Each claim needs its own word: `email_verified` speaks for `email` and not for a
 * `preferred_username` beside it, which people may choose themselves.
 * @throws {InvalidToken} if there is none, or one that could be taken for another.
 */
export function readEmail(claims: JWTPayload, { claims: names, trusted, domains }: EmailRules): ClaimedEmail {
  const name = names.find((one) => isPresent(valueIn(claims, one)));
  const email = name === undefined ? undefined : valueIn(claims, name);
  if (name === undefined || typeof email !== 'string') {
    throw new InvalidToken(`the "${name ?? names.join('" or "')}" claim must be a non-empty string`);
  }
  if (!isUnambiguousEmail(email)) {
    throw new InvalidToken(`the "${name}" claim has characters that stand for others`);
  }
  const normalized = normalizeEmail(email);
  if (domains.length > 0 && !isInDomains(normalized, domains)) {
    return { email, isVerified: false, doubt: `its issuer is limited to ${domains.join(', ')}` };
  }
  const isEmail = name === 'email' || repeatsEmail(claims, normalized);
  const word = wordFor(claims, name, isEmail);
  if (word !== undefined) {
    // Some providers send a string, and Microsoft Entra ID a number.
    const isVerified = word.values.includes(word.value);
    return { email, isVerified, ...(!isVerified && { doubt: `"${word.claim}" is not true` }) };
  }
  if (isEmail) return { email, isVerified: false };
  if (isVouchedFor(name, trusted)) return { email, isVerified: true };
  const doubt = `nothing vouches for the "${name}" claim: if people cannot choose it at the provider, name it in AUTH_TRUSTED_EMAIL_CLAIMS (or in trustedEmailClaims of its issuer)`;
  return { email, isVerified: false, doubt };
}

/** Whether the emails of this claim need no word of a token's: `email`, and claims that only the operator can have added. */
export function isVouchedFor(name: string, trusted: readonly string[] = []): boolean {
  return name === 'email' || trusted.includes(name) || isOwnName(name);
}

/**
 * Whether a claim has a collision-resistant name (RFC 7519, section 4.2), such as `https://example.com/email`. No provider fills
 * one by itself: the operator's own rule there does, and decides what it puts in.
 */
function isOwnName(name: string): boolean {
  return /^(?:https?:\/\/|urn:)/.test(name);
}

/** What a token says about the email in a claim, `undefined` if nothing. `isEmail`: whether its claim `email` has that address. */
function wordFor(claims: JWTPayload, name: string, isEmail: boolean) {
  const yes: unknown[] = [true, 'true'];
  const words = [{ claim: `${name}_verified`, values: yes }];
  // It is the same address, so what is said about it holds whatever the claim. `xms_edov` is of Microsoft Entra ID: whether
  // the owner of the domain has been verified.
  if (isEmail)
    words.push({ claim: 'email_verified', values: yes }, { claim: 'xms_edov', values: [...yes, 1, '1'] });
  return words
    .map((word) => ({ ...word, value: Object.hasOwn(claims, word.claim) ? claims[word.claim] : undefined }))
    .find(({ value }) => value !== undefined);
}

/** Whether the claim `email` has this address (normalized) too. */
function repeatsEmail(claims: JWTPayload, email: string): boolean {
  const value = valueIn(claims, 'email');
  return typeof value === 'string' && isUnambiguousEmail(value) && normalizeEmail(value) === email;
}

/** The value of a claim; of a list, as in `emails` of Azure AD B2C, the first. */
function valueIn(claims: JWTPayload, name: string): unknown {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
