import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { MikroORM } from '@mikro-orm/postgresql';
import { settingsOrExit } from '../../config/exit.ts';
import cliOptions from '../../mikro-orm.config.ts';
import { toDomainError } from '../database/driver-errors.ts';
import { knownMigrations, schemaState } from '../database/schema.ts';
import { COMMAND_LINE } from '../domain/author.ts';
import { DomainError, type ErrorCode } from '../domain/errors.ts';
import type { PreferenceRules } from '../domain/preferences.ts';
import type { User } from '../domain/user.ts';
import { cursorCodec } from '../security/cursor.ts';
import {
  type AdminChanges,
  accountByEmail,
  changeAccount,
  createAccount,
} from '../services/accounts/accounts.ts';
import {
  name as nameSchema,
  role as roleSchema,
  status as statusSchema,
} from '../services/accounts/fields.ts';
import { listAccounts } from '../services/accounts/list.ts';
import { preferenceRules } from '../services/accounts/preferences-schema.ts';
import { type AccountRecord, accountRecord } from '../services/accounts/view.ts';
import { eraseAccounts } from '../services/history/erasure.ts';
import { verifyHistory } from '../services/history/verification.ts';
import { exportAccounts } from '../services/transfer/export.ts';
import { FORMATS } from '../services/transfer/formats/index.ts';
import { IMPORT_MODES, importAccounts } from '../services/transfer/import.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { unitsOfWork } from '../store/unit-of-work.ts';
import { printed } from './printed.ts';

const USAGE = `Usage: npm run --silent accounts -- COMMAND [--json]

  list [--role R] [--status S] [--q TEXT] [--limit N]   accounts, newest first (50)
  show EMAIL                                            one account
  invite EMAIL [--role user|admin] [--name NAME]        make an account
  promote EMAIL                                         make it an active admin: the way back in when there is none
  demote EMAIL                                          make it a user
  suspend EMAIL                                         shut it out
  restore EMAIL                                         let it in again
  delete EMAIL                                          remove it
  erase EMAIL                                           remove it, and the person from the history: it cannot be restored
  import FILE [--upsert] [--partial] [--dry-run]        .ndjson or .csv, - for NDJSON from standard input
  export [FILE]                                         .ndjson or .csv; NDJSON to standard output without one
  verify                                                replay the history: does it give the accounts as they are?

--json prints JSON instead of a table; --help prints this.

Exit codes: 0 done, 64 wrong usage, 65 wrong input or history, 66 no such file, 67 no such account, 69 no database,
77 refused (taken email, last admin), 78 wrong settings, 1 anything else.`;

/** From sysexits.h, so that scripts can tell what happened. */
const EXIT = { usage: 64, data: 65, noInput: 66, noUser: 67, unavailable: 69, refused: 77 } as const;

const EXIT_OF_CODE: Partial<Record<ErrorCode, number>> = {
  invalid_input: EXIT.data,
  email_invalid: EXIT.data,
  not_found: EXIT.noUser,
  database_unavailable: EXIT.unavailable,
  not_ready: EXIT.unavailable,
  email_taken: EXIT.refused,
  last_admin: EXIT.refused,
  lost_race: EXIT.refused,
};

/** What is wrong with a file that cannot be read. */
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
interface Desk {
  readonly inUnit: UnitOfWork;
  readonly rules: PreferenceRules;
  readonly values: Values;
}

class UsageError extends Error {}

/** What each command does with its argument; what it returns is printed. */
const COMMANDS: Readonly<Record<string, (argument: string | undefined, desk: Desk) => Promise<unknown>>> = {
  list: async (_, { inUnit, values }) => {
    const limit = whole(values.limit);
    // Only this process ever sees its cursors.
    const cursors = cursorCodec('of this process alone');
    const filters = {
      role: oneOf(roleSchema.options, values.role),
      status: oneOf(statusSchema.options, values.status),
      q: values.q,
    };
    const items: AccountRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await inUnit(
        ({ em }) =>
          listAccounts(em, cursors, { ...filters, cursor, limit: Math.min(200, limit - items.length) }),
        { readOnly: true },
      );
      items.push(...page.items.map(accountRecord));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined && items.length < limit);
    return items;
  },
  show: async (email, { inUnit }) =>
    accountRecord(await inUnit((unit) => accountByEmail(unit, given(email)), { readOnly: true })),
  invite: async (email, { inUnit, rules, values }) => {
    const name = nameSchema.optional().safeParse(values.name);
    if (!name.success) throw new UsageError('--name has 1 to 255 characters.');
    const input = { email: given(email), name: name.data, role: oneOf(roleSchema.options, values.role) };
    return accountRecord(await inUnit(async (unit) => createAccount(unit, input, rules)));
  },
  promote: (email, desk) => change(email, desk, { role: 'admin', status: 'active' }),
  demote: (email, desk) => change(email, desk, { role: 'user' }),
  suspend: (email, desk) => change(email, desk, { status: 'suspended' }),
  restore: (email, desk) => change(email, desk, { status: 'active' }),
  delete: (email, { inUnit }) =>
    inUnit(async (unit) => {
      const account = await accountByEmail(unit, given(email));
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
      ({ em, rehearse }) => {
        if (values['dry-run']) rehearse();
        return importAccounts(em, formatOf(path).read(bytes), {
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
  // Whoever read the output has had enough: `… export | head`.
  if ((thrown as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  const error = toDomainError(thrown) as NodeJS.ErrnoException;
  const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error.message);
  if (error instanceof DomainError) {
    for (const { path, message } of error.errors ?? []) console.error(`${path}: ${message}`);
    process.exitCode = EXIT_OF_CODE[error.code as ErrorCode] ?? 1;
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
  if (rest.length > 0) throw new UsageError('That is more than one argument.');

  const rules = await preferenceRules(settingsOrExit().preferences);
  const orm = await MikroORM.init({ ...(await cliOptions()), logger: () => undefined });
  try {
    const { pending } = await schemaState(orm.em.fork(), await knownMigrations(orm)).catch(() => ({
      pending: ['all'],
    }));
    if (pending.length > 0) {
      throw new DomainError(
        'not_ready',
        'The database lacks migrations: start the service, which applies them.',
      );
    }
    const result = await command(argument, { inUnit: unitsOfWork(orm, COMMAND_LINE), rules, values });
    if (result !== undefined) console.log(values.json ? JSON.stringify(result, null, 2) : printed(result));
  } finally {
    await orm.close(true);
  }
}

async function change(
  email: string | undefined,
  { inUnit, rules }: Desk,
  changes: AdminChanges,
): Promise<AccountRecord> {
  const account = await inUnit(async (unit): Promise<User> => {
    const found = await accountByEmail(unit, given(email));
    await unit.claim(found);
    changeAccount(found, changes, rules);
    return found;
  });
  return accountRecord(account);
}

function formatOf(path: string) {
  return FORMATS.find(({ extension }) => path.endsWith(`.${extension}`)) ?? FORMATS[0];
}

function given(argument: string | undefined, what = 'an email'): string {
  if (argument === undefined) throw new UsageError(`This needs ${what}.`);
  return argument;
}

function oneOf<T extends string>(options: readonly T[], text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const option = options.find((known) => known === text);
  if (option === undefined) throw new UsageError(`${text} is none of ${options.join(', ')}.`);
  return option;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError('--limit is a whole number from 1 on.');
  return Number(text);
}
