import type { ParseArgsConfig, parseArgs } from 'node:util';

/** The usage of the accounts command. */
export const USAGE = `Usage: npm run --silent accounts -- COMMAND [--json]

  list [--role R] [--status S] [--q TEXT] [--limit N]   list accounts, newest first (default limit: 50)
  show EMAIL                                            show an account
  invite EMAIL [--role user|admin] [--name NAME]        create an account
  promote EMAIL                                         make it an active admin, even when there is none
  demote EMAIL                                          make it a user
  suspend EMAIL                                         refuse its sign-ins
  restore EMAIL                                         accept its sign-ins again
  delete EMAIL                                          delete it; an undo can restore it
  cut EMAIL                                             cut its identities: its next sign-in takes their place
  erase EMAIL                                           delete it and its values in the history, for good
  import FILE [--upsert] [--partial] [--dry-run]        import .ndjson or .csv; - reads NDJSON from standard input
  export [FILE]                                         export .ndjson or .csv; default: NDJSON to standard output
  adopt [--merge]                                       show what the first start makes of a table users of another
                                                        service; --merge merges accounts with one email
  verify                                                replay the history and compare it with the accounts

--json prints JSON instead of a table; --help prints this text.

Exit codes: 0 done, 64 usage error, 65 invalid input or history, 66 file not found, 67 account not found, 69 database
unavailable, 77 refused (email taken, last admin), 78 invalid settings, 1 anything else.`;

/** Its options, as `parseArgs` takes them. */
export const OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  role: { type: 'string' },
  status: { type: 'string' },
  q: { type: 'string' },
  name: { type: 'string' },
  limit: { type: 'string', default: '50' },
  upsert: { type: 'boolean', default: false },
  partial: { type: 'boolean', default: false },
  merge: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** The values of its options. */
export type Values = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
>['values'];
