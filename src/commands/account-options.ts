import type { ParseArgsConfig, parseArgs } from 'node:util';
import { invocationOf } from '../../config/invocation.ts';
import { UsageError } from './usage-error.ts';

/** The usage of the accounts command. */
export const USAGE = `Usage: ${invocationOf('accounts', 'COMMAND [--json]')}

  list [--role R] [--status S] [--q TEXT] [--limit N]   list accounts, newest first (default limit: 50)
  show EMAIL                                            show an account
  invite EMAIL [--role user|admin] [--name NAME]        create an account
  promote EMAIL                                         make it an active admin, even when there is none
  demote EMAIL                                          make it a user
  suspend EMAIL                                         refuse its sign-ins
  restore EMAIL                                         accept its sign-ins again
  delete EMAIL                                          delete it; an undo can restore it
  cut EMAIL                                             cut its identities: its next sign-in takes their place
  console EMAIL                                         print a link that signs it in to the console, once, within two
                                                        minutes
  erase EMAIL                                           delete it and its values in the history, for good
  import FILE [--upsert] [--partial] [--dry-run]        import .ndjson, .jsonl, .csv, .tsv or .txt; - reads standard
         [--format csv] [--charset windows-1252]        input; defaults: NDJSON, UTF-8
  export [FILE] [--format csv] [--bom]                  export .ndjson or .csv; default: NDJSON to standard output;
         [--separator comma|semicolon|tab]              --bom lets Excel read CSV
  undo REQUEST [--actor A] [--partial] [--dry-run]      take back everything that a request, an import or a command has
                                                        changed, by its request id; --partial leaves what cannot be
                                                        undone
  adopt [--merge]                                       show what the first start makes of a table users of another
                                                        service; --merge merges accounts with one email
  publish [--to ROLE] [--print]                         let the app's own tables use the accounts, through the schema
                                                        rollcall; ROLE is the app's; --print prints the SQL instead
  unpublish                                             take that back
  doctor                                                check settings, database, providers, webhooks and disk, and
                                                        say what to mend: exit code 1 if there is a problem
  verify                                                replay the history and compare it with the accounts

--reason TEXT says why, which the history keeps with each change; --json prints JSON instead of a table; --help prints
this text.

Exit codes: 0 done, 64 usage error, 65 invalid input or history, 66 file not found, 67 account not found, 69 database
unavailable, 77 refused (email taken, last admin, changed since, in use by the app), 78 invalid settings, 1 anything
else.`;

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
  format: { type: 'string' },
  charset: { type: 'string' },
  actor: { type: 'string' },
  reason: { type: 'string' },
  bom: { type: 'boolean', default: false },
  separator: { type: 'string' },
  merge: { type: 'boolean', default: false },
  to: { type: 'string' },
  print: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** The values of its options. */
export type Values = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
>['values'];

/** The option that a text names, if there is one. Throws `UsageError` for any other text. */
export function oneOf<T extends string>(options: readonly T[], text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const option = options.find((known) => known === text);
  if (option === undefined) throw new UsageError(`${text} must be one of ${options.join(', ')}.`);
  return option;
}
