import { asciiDomain } from './domain-name.ts';
import { domainOf } from './email.ts';

/** Who gets an account: only those invited, also emails of certain domains, or anyone who can sign in. */
export const ACCESS_POLICIES = ['invited', 'domains', 'open'] as const;

/** What happens when the email of a known identity changes at its provider: the account's follows, or the sign-in is refused. */
export const EMAIL_CHANGE_POLICIES = ['follow', 'refuse'] as const;
/** One of them. */
export type EmailChangePolicy = (typeof EMAIL_CHANGE_POLICIES)[number];

/** The policy in force. */
export interface AccessPolicy {
  readonly policy: (typeof ACCESS_POLICIES)[number];
  /** In the form of {@link accessDomain}; used with the policy `domains`. */
  readonly domains: readonly string[];
}

/**
 * The form of {@link asciiDomain} of a domain whose emails are meant. A leading `*.` stands for every domain below, but not for
 * the domain itself. Returns `undefined` for anything but a domain, such as an IP address.
 */
export function accessDomain(text: string): string | undefined {
  const [, wildcard = '', name = ''] = /^(\*\.)?(.*)$/s.exec(text.trim()) ?? [];
  const ascii = asciiDomain(name);
  return ascii === undefined ? undefined : wildcard + ascii;
}

/** Whether a sign-in with this email (normalized) gets an account without an invitation. */
export function admits({ policy, domains }: AccessPolicy, email: string): boolean {
  return policy === 'domains' ? isInDomains(email, domains) : policy === 'open';
}

/** Whether an email (normalized) belongs to one of these domains, in the form of {@link accessDomain}. */
export function isInDomains(email: string, domains: readonly string[]): boolean {
  const domain = domainOf(email);
  return (
    domain !== undefined &&
    domains.some((one) => (one.startsWith('*.') ? domain.endsWith(one.slice(1)) : domain === one))
  );
}
