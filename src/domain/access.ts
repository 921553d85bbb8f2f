import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** Who may have an account: those who are in the table, those of certain domains too, or whoever can sign in. */
export const ACCESS_POLICIES = ['invited', 'domains', 'open'] as const;

/** What a URL has around its host: with one of these, the text is no domain, though a part of it may be. */
const NO_DOMAIN = /[\s\p{Cc}/?#\\%@:]/u;

/** The policy in force. */
export interface AccessPolicy {
  readonly policy: (typeof ACCESS_POLICIES)[number];
  /** In the form of {@link accessDomain}; they count where the policy is `domains`. */
  readonly domains: readonly string[];
}

/**
 * The one form in which domains are kept and compared: lower-cased and in ASCII (UTS 46), so that each name has one form
 * in whatever script it is written. `*.` in front stands for every domain below it, but not for itself.
 * Returns `undefined` for what is no domain, as an IP address is none.
 */
export function accessDomain(text: string): string | undefined {
  const [, wildcard = '', name = ''] = /^(\*\.)?(.*)$/s.exec(text.trim()) ?? [];
  const ascii = NO_DOMAIN.test(name) ? '' : domainToASCII(name);
  if (isIP(ascii)) return undefined;
  return /^[a-z\d_-]+(?:\.[a-z\d_-]+)+$/.test(ascii) ? wildcard + ascii : undefined;
}

/** Whether somebody who signs in with this email (normalised) may have an account without having been invited. */
export function admits({ policy, domains }: AccessPolicy, email: string): boolean {
  if (policy !== 'domains') return policy === 'open';
  const domain = accessDomain(email.slice(email.lastIndexOf('@') + 1));
  return (
    domain !== undefined &&
    domains.some((one) => (one.startsWith('*.') ? domain.endsWith(one.slice(1)) : domain === one))
  );
}
