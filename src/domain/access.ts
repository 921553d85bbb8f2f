import { domainToASCII } from 'node:url';

/** Who may have an account: those who are in the table, those of certain domains too, or whoever can sign in. */
export const ACCESS_POLICIES = ['invited', 'domains', 'open'] as const;

/** The policy in force. */
export interface AccessPolicy {
  readonly policy: (typeof ACCESS_POLICIES)[number];
  /** In the form of {@link accessDomain}; they count where the policy is `domains`. */
  readonly domains: readonly string[];
}

/**
 * The one form in which domains are kept and compared: lower-cased and in ASCII (UTS 46), so that each name has one form
 * in whatever script it is written. `*.` in front stands for every domain below it, but not for itself.
 * Returns `undefined` for what is no domain.
 */
export function accessDomain(text: string): string | undefined {
  const [, wildcard = '', name = ''] = /^(\*\.)?(.*)$/s.exec(text.trim()) ?? [];
  const ascii = domainToASCII(name);
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
