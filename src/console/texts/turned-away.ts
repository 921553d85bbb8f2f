/** The texts of the refused sign-ins. */
export const turnedAwayTexts = {
  title: 'Turned away',
  total: (people: string, attempts: string) => `${people} emails, ${attempts} attempts in 30 days`,
  refresh: 'Look again',
  columns: { email: 'Email', reason: 'Why', count: 'Attempts', lastAt: 'Last' },
  since: 'since',
  empty: 'Nobody was turned away',
  emptyText: 'Sign-ins that were refused in the last 30 days appear here, with the reason.',
  /** What was wrong, and what an admin can do about it. */
  reasons: {
    account_required: {
      name: 'No account',
      why: 'There is no account with this email, and the access policy creates none. Invite those who should come in.',
    },
    account_suspended: {
      name: 'Suspended',
      why: 'The account with this email is suspended. Restore it to let them in.',
    },
    email_changed: {
      name: 'Other email',
      why: 'The email at the identity provider has changed. Give this email to their account.',
    },
    email_unverified: {
      name: 'Unverified',
      why: 'The identity provider does not say that this email is theirs. They must verify it there.',
    },
    identity_mismatch: {
      name: 'Other sign-in',
      why: 'The account with this email belongs to another sign-in of this provider. If it is theirs, cut the other one in the account.',
    },
  },
  invite: 'Invite',
  inviting: 'Inviting…',
  invited: 'Invited',
  hasAccount: (email: string) => `${email} has an account now.`,
  open: 'Open account',
  find: 'Find account',
  allow: 'Allow domain',
  policy: {
    title: 'Who may sign in',
    invited: 'People who have an account. Nobody else gets one by signing in.',
    domains: 'People who have an account, and everybody with an email at one of these domains:',
    open: 'Everybody with a valid sign-in: an account is created the first time.',
    setting: 'The environment of the service decides this, by',
  },
  domain: {
    title: (domain: string) => `Let everybody at ${domain} in`,
    text: (domain: string) =>
      `Everybody with an email at ${domain} then gets an account when they sign in. The console cannot change this: set it in the environment of the service, and restart it.`,
    only: 'To let in this one person, invite them instead.',
    copy: 'Copy',
    copied: 'Copied.',
  },
} as const;
