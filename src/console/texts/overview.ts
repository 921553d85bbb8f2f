/** The texts of the overview. */
export const overviewTexts = {
  title: 'Overview',
  totals: {
    accounts: 'Accounts',
    admins: 'Active admins',
    suspended: 'Suspended',
    refused: 'Turned away in 30 days',
  },
  more: (count: string) => `> ${count}`,
  charts: {
    created: { title: 'New accounts', unit: 'created' },
    changes: { title: 'Changes', unit: 'changes' },
    refused: { title: 'Refused sign-ins', unit: 'emails, refused for the last time' },
    lastSeen: { title: 'Last seen', unit: 'accounts, not seen since' },
  },
  health: {
    title: 'Health',
    states: { ok: 'OK', degraded: 'Look at this', failing: 'Failing', unknown: 'Not known' },
    version: (version: string) => `Version ${version}`,
    since: 'This process has been running since',
    migrations: 'Migrations',
    noneMissing: 'All are applied.',
    missing: (names: string) =>
      `The database lacks ${names}. Restart the service, or run its command migrate.`,
    feed: 'Change feed',
    feedOk: 'Changes are told at once.',
    feedLag: (seconds: string) =>
      `A transaction has held changes back for ${seconds} s. Find it in pg_stat_activity of the database.`,
    feedFailing: 'It cannot be read. The log of the service has the reason.',
    live: 'Live updates',
    liveOn: 'This page hears of changes as they happen.',
    liveOff: 'This page does not hear of changes now, and tries again.',
    providers: 'Provider keys',
    providerOk: 'Fetched',
    providerFailing: 'Could not be fetched. The log of the service has the reason.',
    providerUnknown: 'No token of this issuer has come to this process yet.',
    noProvider: 'None is configured: tokens are signed with a secret.',
    webhooks: 'Webhooks',
    noWebhook: 'None is configured.',
    webhookOk: 'Everything is delivered.',
    webhookBehind: 'Deliveries wait; the oldest change is of',
    webhookRetrying: (attempts: number, error: string) =>
      attempts === 1 ? `Retrying after 1 attempt. ${error}` : `Retrying after ${attempts} attempts. ${error}`,
    webhookParked: (error: string) => `Parked: nothing is delivered until you resume it. ${error}`,
  },
} as const;
