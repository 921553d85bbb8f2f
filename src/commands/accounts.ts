import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { settingsOrExit } from '../../config/exit.ts';
import { toRefusal } from '../database/driver-errors.ts';
import { openForCommand } from '../database/open-database.ts';
import { COMMAND_LINE } from '../domain/author.ts';
import type { PreferenceRules } from '../domain/preferences.ts';
import { Refusal, type RefusalCode, refusals } from '../domain/refusals.ts';
import type { User } from '../domain/user.ts';
import {
  type AccountChanges,
  accountByEmail,
  changeAccount,
  createAccount,
} from '../services/accounts/accounts.ts';
import { fields } from '../services/accounts/fields.ts';
import { listAccounts } from '../services/accounts/list.ts';
import { preferenceRules } from '../services/accounts/preferences-schema.ts';
import { type AccountView, accountView } from '../services/accounts/view.ts';
import { eraseAccounts } from '../services/history/erasure.ts';
import { verifyHistory } from '../services/history/verification.ts';
import type { Position } from '../services/paging.ts';
import { exportAccounts } from '../services/transfer/export.ts';
import { FORMATS } from '../services/transfer/formats/index.ts';
import { IMPORT_MODES, importAccounts } from '../services/transfer/import.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { openStore } from '../wiring.ts';
import { printed } from './printed.ts';

const USAGE = `Usage: npm run --silent accounts -- COMMAND [--json]

  list [--role R] [--status S] [--q TEXT] [--limit N]   list accounts, newest first (default limit: 50)
  show EMAIL                                            show an account
  invite EMAIL [--role user|admin] [--name NAME]        create an account
  promote EMAIL                                         make it an active admin, even when there is none
  demote EMAIL                                          make it a user
  suspend EMAIL                                         refuse its sign-ins
  restore EMAIL                                         accept its sign-ins again
  delete EMAIL                                          delete it; an undo can restore it
  erase EMAIL                                           delete it and its values in the history, for good
  import FILE [--upsert] [--partial] [--dry-run]        import .ndjson or .csv; - reads NDJSON from standard input
  export [FILE]                                         export .ndjson or .csv; default: NDJSON to standard output
  verify                                                replay the history and compare it with the accounts

--json prints JSON instead of a table; --help prints this text.

Exit codes: 0 done, 64 usage error, 65 invalid input or history, 66 file not found, 67 account not found, 69 database
unavailable, 77 refused (email taken, last admin), 78 invalid settings, 1 anything else.`;

/** Exit codes of sysexits.h, for scripts. */
const EXIT = { usage: 64, data: 65, noInput: 66, noUser: 67, unavailable: 69, refused: 77 } as const;

const EXIT_OF_CODE: Partial<Record<RefusalCode, number>> = {
  invalid_input: EXIT.data,
  email_invalid: EXIT.data,
  not_found: EXIT.noUser,
  database_unavailable: EXIT.unavailable,
  not_ready: EXIT.unavailable,
  email_taken: EXIT.refused,
  last_admin: EXIT.refused,
  lost_race: EXIT.refused,
};

/** The errors of a file that cannot be read. */
const NO_FILE = new Set(['ENOENT', 'EISDIR', 'EACCES']);

const OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  role: { type: 'string' },
  status: { type: 'string' },
  q: { type: 'string' },
  name: { type: 'string' },
  limit: { type: 'string', default: '50' },
  upsert: { type: 'boolean', default: false },
  partial: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

/** What a command works with. */
interface CommandContext {
  readonly inUnit: UnitOfWork;
  readonly rules: PreferenceRules;
  readonly values: Values;
}

/** A usage error, reported with the usage. */
class UsageError extends Error {}

type Command = (argument: string | undefined, context: CommandContext) => Promise<unknown>;

/** The commands. What they return is printed. */
const COMMANDS: Readonly<Record<string, Command>> = {
  list: async (_, { inUnit, values }) => {
    const limit = whole(values.limit);
    const filters = {
      role: oneOf(fields.role.options, values.role),
      status: oneOf(fields.status.options, values.status),
      q: values.q,
    };
    const items: AccountView[] = [];
    let after: Position | undefined;
    do {
      const page = await inUnit(
        ({ em }) => listAccounts(em, { ...filters, after, limit: Math.min(200, limit - items.length) }),
        { readOnly: true },
      );
      items.push(...page.items.map(accountView));
      after = page.next ?? undefined;
    } while (after !== undefined && items.length < limit);
    return items;
  },
  show: async (email, { inUnit }) =>
    accountView(await inUnit(({ em }) => accountByEmail(em, given(email)), { readOnly: true })),
  invite: async (email, { inUnit, rules, values }) => {
    const name = fields.name.optional().safeParse(values.name);
    if (!name.success) throw new UsageError('--name must have 1 to 255 characters.');
    const input = { email: given(email), name: name.data, role: oneOf(fields.role.options, values.role) };
    return accountView(await inUnit(async (unit) => createAccount(unit, input, rules)));
  },
  promote: (email, context) => change(email, context, { role: 'admin', status: 'active' }),
  demote: (email, context) => change(email, context, { role: 'user' }),
  suspend: (email, context) => change(email, context, { status: 'suspended' }),
  restore: (email, context) => change(email, context, { status: 'active' }),
  delete: (email, { inUnit }) =>
    inUnit(async (unit) => {
      const account = await accountByEmail(unit.em, given(email));
      await unit.claim(account);
      unit.em.remove(account);
    }),
  erase: async (email, { inUnit }) => ({ erased: await inUnit((unit) => eraseAccounts(unit, given(email))) }),
  verify: async (_, { inUnit }) => {
    const verification = await inUnit(({ em }) => verifyHistory(em), { readOnly: true });
    if (verification.wrong > 0) process.exitCode = EXIT.data;
    return verification;
  },
  import: (file, { inUnit, rules, values }) => {
    const path = given(file, 'a file');
    const bytes = path === '-' ? process.stdin : createReadStream(path);
    const [create, upsert] = IMPORT_MODES;
    return inUnit(
      (unit) => {
        unit.dryRun = values['dry-run'];
        return importAccounts(unit, formatOf(path).read(bytes), {
          mode: values.upsert ? upsert : create,
          partial: values.partial,
          rules,
          onProgress: (lines) => process.stderr.isTTY && process.stderr.write(`\r${lines} lines`),
        });
      },
      { replays: false },
    );
  },
  export: (file, { inUnit }) =>
    inUnit(
      ({ em }) =>
        pipeline(
          exportAccounts(em, formatOf(file ?? '-')),
          file === undefined ? process.stdout : createWriteStream(file, { mode: 0o600 }),
          { end: file !== undefined },
        ),
      { readOnly: true },
    ),
};

try {
  await main();
} catch (thrown) {
  // The reader of the output has stopped: `export | head`.
  if ((thrown as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  const error = toRefusal(thrown) as NodeJS.ErrnoException;
  const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error.message);
  if (error instanceof Refusal) {
    for (const { path, message } of error.errors ?? []) console.error(`${path}: ${message}`);
    process.exitCode = EXIT_OF_CODE[error.code] ?? 1;
  } else {
    process.exitCode = isUsage ? EXIT.usage : NO_FILE.has(error.code ?? '') ? EXIT.noInput : 1;
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) return console.log(USAGE);
  const [name = '', argument, ...rest] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw new UsageError(name === '' ? 'Name a command.' : `There is no command ${name}.`);
  if (rest.length > 0) throw new UsageError('A command takes one argument.');

  const settings = settingsOrExit();
  const { history } = settings;
  const rules = await preferenceRules(settings.preferences);
  const { database, mode, embedded } = await openForCommand(settings);
  // A command takes as long as it takes.
  const store = await openStore({
    database: { ...database, statementTimeoutMs: 0 },
    mode,
    history,
    author: COMMAND_LINE,
  });
  try {
    const pending = await store.pendingMigrations().catch(() => ['all']);
    if (pending.length > 0) {
      throw refusals.notReady('The database lacks migrations: start the service, which applies them.');
    }
    const result = await command(argument, { inUnit: store.inUnit, rules, values });
    if (result !== undefined) console.log(values.json ? JSON.stringify(result, null, 2) : printed(result));
  } finally {
    await store.close();
    await embedded?.release();
  }
}

async function change(
  email: string | undefined,
  { inUnit, rules }: CommandContext,
  changes: AccountChanges,
): Promise<AccountView> {
  const account = await inUnit(async (unit): Promise<User> => {
    const found = await accountByEmail(unit.em, given(email));
    await unit.claim(found);
    changeAccount(found, changes, rules);
    return found;
  });
  return accountView(account);
}

function formatOf(path: string) {
  return FORMATS.find(({ extension }) => path.endsWith(`.${extension}`)) ?? FORMATS[0];
}

function given(argument: string | undefined, what = 'an email'): string {
  if (argument === undefined) throw new UsageError(`This command needs ${what}.`);
  return argument;
}

function oneOf<T extends string>(options: readonly T[], text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const option = options.find((known) => known === text);
  if (option === undefined) throw new UsageError(`${text} must be one of ${options.join(', ')}.`);
  return option;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError('--limit must be a whole number of at least 1.');
  return Number(text);
}
