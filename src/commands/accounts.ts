import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { settingsOrExit } from '../../config/exit.ts';
import { openStore } from '../boot/open-store.ts';
import { FIRST_MIGRATION } from '../database/adoption/index.ts';
import { toRefusal } from '../database/driver-errors.ts';
import { openForCommand } from '../database/open-database.ts';
import { COMMAND_LINE } from '../domain/author.ts';
import { faultOfReason } from '../domain/reason.ts';
import { Refusal } from '../domain/refusal.ts';
import { refusals } from '../domain/refusals.ts';
import { preferenceRules } from '../services/accounts/preferences-schema.ts';
import { lostSeeds, type Seeds } from '../services/accounts/seed-warning.ts';
import type { Unit, UnitOfWork } from '../store/unit.ts';
import { COMMANDS } from './account-commands.ts';
import { OPTIONS, USAGE, type Values } from './account-options.ts';
import { adoption } from './adopt.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { printed } from './printed.ts';
import { isUsageError, UsageError } from './usage-error.ts';

/** The command that looks at a database before its first migration. */
const ADOPT = 'adopt';

/** The command that works where nothing else does. */
const DOCTOR = 'doctor';

try {
  await main();
} catch (thrown) {
  // The reader of the output has stopped: `export | head`.
  if ((thrown as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  const error = toRefusal(thrown) as NodeJS.ErrnoException;
  console.error(isUsageError(error) ? `${error.message}\n\n${USAGE}` : error.message);
  if (error instanceof Refusal) {
    const { errors, details } = error;
    for (const { path, message } of errors ?? []) console.error(`${path}: ${message}`);
    // Of an import, the errors have said it all.
    if (errors === undefined && details?.['report'] !== undefined) console.error(printed(details['report']));
  }
  process.exitCode = exitCodeOf(error);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) return console.log(USAGE);
  const [name = '', argument, ...rest] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined && name !== ADOPT && name !== DOCTOR)
    throw new UsageError(name === '' ? 'Name a command.' : `There is no command ${name}.`);
  if (rest.length > 0) throw new UsageError('A command takes one argument.');
  const reason = reasonIn(values);
  if (name === DOCTOR) return doctor(values);

  const settings = settingsOrExit();
  const { history } = settings;
  const rules = await preferenceRules(settings.preferences);
  const { database, mode } = await openForCommand(settings);
  // A command takes as long as it takes.
  const store = await openStore({
    database: { ...database, statementTimeoutMs: 0 },
    mode,
    history,
    // So that everything that it changes can be undone as a whole.
    author: { ...COMMAND_LINE, requestId: randomUUID() },
  });
  try {
    // Without a ledger, no migration has been applied, not even the first.
    const pending = await store.schemaState().then(
      (state) => state.pending,
      () => [FIRST_MIGRATION],
    );
    if (command === undefined) {
      const { result, text, isAdoptable } = await adoption(store, { pending, merge: values.merge });
      if (!isAdoptable) process.exitCode = EXIT.data;
      return console.log(values.json ? JSON.stringify(result, null, 2) : text);
    }
    if (pending.length > 0) throw refusals.migrationsMissing();
    const inUnit: UnitOfWork = async (work, options) => {
      const [result, unit] = await store.inUnit(async (unit) => {
        unit.reason = reason;
        return [await work(unit), unit] as const;
      }, options);
      await warnOfSeeds(unit, settings.initialAdmins);
      return result;
    };
    const result = await command(argument, { inUnit, rules, values, settings });
    if (result !== undefined) console.log(values.json ? JSON.stringify(result, null, 2) : printed(result));
  } finally {
    await store.close();
  }
}

function reasonIn({ reason }: Values): string | null {
  const fault = reason === undefined ? undefined : faultOfReason(reason);
  if (fault !== undefined) throw new UsageError(`--reason ${fault}.`);
  return reason ?? null;
}

/** Prints a diagnosis. A problem ends with exit code 1. */
async function doctor({ json }: { json: boolean }): Promise<void> {
  const { diagnose, diagnosisText } = await import('./doctor/index.ts');
  const diagnosis = await diagnose();
  if (diagnosis.status === 'problem') process.exitCode = 1;
  console.log(json ? JSON.stringify(diagnosis, null, 2) : diagnosisText(diagnosis));
}

/** Warns where a committed unit has removed an admin of INITIAL_ADMINS. Never throws: what is written is written. */
async function warnOfSeeds(unit: Unit, seeds: Seeds): Promise<void> {
  try {
    for (const email of await lostSeeds(unit, seeds))
      console.error(`${email} is in INITIAL_ADMINS: the next start makes it an active admin again.`);
  } catch (error) {
    console.error(`Not checked whether INITIAL_ADMINS undoes the change: ${(error as Error).message}`);
  }
}
