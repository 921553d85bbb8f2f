import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** Who gets an account: only those invited, also emails of certain domains, or anyone who can sign in. */
export const ACCESS_POLICIES = ['invited', 'domains', 'open'] as const;

/** Characters that a URL has around its host: a text with one of them is not a domain. */
const NO_DOMAIN = /[\s\p{Cc}/?#\\%@:]/u;

/** The policy in force. */
export interface AccessPolicy {
  readonly policy: (typeof ACCESS_POLICIES)[number];
  /** In the form of {@link accessDomain}; used with the policy `domains`. */
  readonly domains: readonly string[];
}

/**
 * The canonical form of a domain: lower case and ASCII (UTS 46), so that a name has one form in every script. A leading `*.`
 * stands for every domain below, but not for the domain itself. Returns `undefined` for anything but a domain, such as an IP
 * address.
 */
export function accessDomain(text: string): string | undefined {
  const [, wildcard = '', name = ''] = /^(\*\.)?(.*)$/s.exec(text.trim()) ?? [];
  const ascii = NO_DOMAIN.test(name) ? '' : domainToASCII(name);
  if (isIP(ascii)) return undefined;
  return /^[a-z\d_-]+(?:\.[a-z\d_-]+)+$/.test(ascii) ? wildcard + ascii : undefined;
}

/** Whether a sign-in with this email (normalized) gets an account without an invitation. */
export function admits({ policy, domains }: AccessPolicy, email: string): boolean {
  if (policy !== 'domains') return policy === 'open';
  const domain = accessDomain(email.slice(email.lastIndexOf('@') + 1));
  return (
    domain !== undefined &&
    domains.some((one) => (one.startsWith('*.') ? domain.endsWith(one.slice(1)) : domain === one))
  );
}
