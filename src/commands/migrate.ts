import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { settingsOrExit } from '../../config/exit.ts';
import { invocationOf } from '../../config/invocation.ts';
import { migrateStore } from '../boot/migrate.ts';
import { openStore, type Store } from '../boot/open-store.ts';
import { addressOf } from '../database/address.ts';
import { FIRST_MIGRATION } from '../database/adoption/target.ts';
import { isLockTimeout, toRefusal } from '../database/driver-errors.ts';
import { LockMissed, watchLocks } from '../database/lock-watch.ts';
import { type MigrationPlan, planMigrations } from '../database/migration-plan.ts';
import { openForCommand } from '../database/open-database.ts';
import { type Adoption, adoption } from './adopt.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { gapLine, planLines } from './migration-lines.ts';
import { isUsageError, UsageError } from './usage-error.ts';

const USAGE = `Usage: ${invocationOf('migrate', '[--plan | --yes] [--json]')}

Prints which migrations are pending and how each will be applied, asks, and applies them. Only one process migrates at a
time. It waits for each lock that others hold, for at most BOOT_TIMEOUT_MS, and names them.

  --plan   print the plan, and change nothing
  --yes    do not ask: required where no terminal answers
  --json   print JSON
  --help   print this text

Exit codes: 0 done, or nothing to do; 64 usage error, or not confirmed; 65 a table users that cannot be adopted; 69 database
unavailable, or locked for too long; 78 invalid settings, or missing rights; 1 anything else.`;

try {
  await main();
} catch (thrown) {
  const error = toRefusal(thrown) as NodeJS.ErrnoException;
  console.error(isUsageError(error) ? `${error.message}\n\n${USAGE}` : error.message);
  process.exitCode = exitCodeOf(error);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      plan: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  if (values.plan && values.yes) throw new UsageError('Pass --plan or --yes, not both.');
  const mayAsk = process.stdin.isTTY === true && !values.json;
  if (!values.plan && !values.yes && !mayAsk)
    throw new UsageError('No terminal answers here: pass --yes to migrate, or --plan to look.');

  const settings = settingsOrExit();
  const { database, mode } = await openForCommand(settings);
  const { bootTimeoutMs } = settings;
  // A migration takes as long as it takes. While one waits for a lock, others wait behind it.
  const limits = { statementTimeoutMs: 0, lockTimeoutMs: bootTimeoutMs };
  const store = await openStore({ database: { ...database, ...limits }, mode });
  const watch = await watchLocks(store.orm, { database, mode }, (blockers) =>
    console.error(`waiting for ${blockers.join(', ')}`),
  );
  try {
    const found = await look(store);
    const { plan, adopting } = found;
    if (!values.json) {
      console.log(`database: ${addressOf(database)}`);
      console.log(planLines(plan, adopting?.text).join('\n'));
    }
    const isNeeded = plan.pending.length > 0 || plan.adopts || plan.missingIndexes.length > 0;
    // A table that cannot be adopted: the plan says why.
    if (adopting?.isAdoptable === false) process.exitCode = EXIT.data;
    if (values.plan || !isNeeded || adopting?.isAdoptable === false) return printJson(values, found);
    if (!values.yes && !(await isConfirmed())) {
      process.exitCode = EXIT.usage;
      return console.error('Nothing was changed.');
    }
    const applied = await apply(store, bootTimeoutMs, values);
    if (values.json) printJson(values, found, applied);
    else console.log(`The database is migrated: ${applied.length} applied.`);
  } catch (error) {
    const missed = isLockTimeout(error) || isLockTimeout((error as Error).cause);
    throw missed ? new LockMissed(error as Error, watch.blockers()) : error;
  } finally {
    await watch.stop();
    await store.close();
  }
}

interface Found {
  readonly plan: MigrationPlan;
  /** What the adoption of a table of another service would do. */
  readonly adopting: Adoption | undefined;
}

async function look(store: Store): Promise<Found> {
  const plan = await planMigrations(store.orm, store.orm.em.fork(), store.migrations);
  const adopting = plan.adopts
    ? await adoption(store, { pending: [FIRST_MIGRATION], merge: false })
    : undefined;
  return { plan, adopting };
}

function printJson({ json }: { json: boolean }, { plan, adopting }: Found, applied: string[] = []): void {
  if (json) console.log(JSON.stringify({ ...plan, adoption: adopting?.result ?? null, applied }, null, 2));
}

/** Whether somebody at the terminal agrees. */
async function isConfirmed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('Migrate now? [y/N] ').finally(() => terminal.close());
  return /^y(es)?$/i.test(answer.trim());
}

/** Migrates, and tells each step on standard error. Returns the names of what was applied here: another process may be first. */
async function apply(store: Store, lockWaitMs: number, { json }: { json: boolean }): Promise<string[]> {
  const applied: string[] = [];
  const say = (text: string) => json || console.error(text);
  let waiting = '';
  await migrateStore(
    store,
    {
      lockWaitMs,
      deadline: Number.POSITIVE_INFINITY,
      signal: new AbortController().signal,
      onWait: ({ message }) => {
        if (message !== waiting) console.error(`waiting: ${message}`);
        waiting = message;
      },
      onAdopt: ({ accounts }) => say(`adopted the table users with ${accounts} accounts`),
      onMigrated: (name) => {
        applied.push(name);
        say(`applied ${name}`);
      },
      onGap: (gap) => console.error(gapLine(gap)),
      onShift: () => say('the database moved to another cluster; change feed continued'),
    },
    async () => undefined,
  );
  return applied;
}
