import type { EntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { isEmail, normalizeEmail } from '../../domain/email.ts';
import { DomainError, type InputError } from '../../domain/errors.ts';
import { checkPreferences, type PreferenceRules } from '../../domain/preferences.ts';
import { lastAdmin, lockActiveAdmins } from '../../store/active-admins.ts';
import { email, errorsOf, name, preferences, role, status, storageMode } from '../accounts/fields.ts';
import type { Line } from './formats/index.ts';
import { type ImportLine, type Outcome, writeAccounts } from './import-batch.ts';

/** What to do with an account that is there already: `create` refuses the line, `upsert` changes what the line gives. */
export const IMPORT_MODES = ['create', 'upsert'] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** How to import. */
export interface ImportOptions {
  readonly mode: ImportMode;
  /** Keep the good lines where there are bad ones, too. */
  readonly partial: boolean;
  readonly rules: PreferenceRules;
  /** Told now and then how many lines have been read. */
  readonly onProgress?: (lines: number) => void;
}

/** What is wrong with a line: `path` is the field, or empty for the line as a whole. */
export interface ImportFailure {
  readonly line: number;
  readonly path: string;
  readonly reason: string;
}

/** What an import did, in lines; for one that is refused or a dry run, what it would have done. */
export interface ImportReport {
  readonly created: number;
  readonly updated: number;
  /** They said what was there already: nothing was written, and their versions stay. */
  readonly unchanged: number;
  readonly failed: number;
  /** The faults of the first {@link MAX_FAILURES} lines that failed, in their order. */
  readonly failures: readonly ImportFailure[];
}

/** How many of the failed lines a report names. */
export const MAX_FAILURES = 1_000;

/** How many lines are written by one statement. */
const BATCH_SIZE = 500;

/** A report must not grow with the nonsense in a file: so many faults a line, and so many characters each. */
const MAX_FAULTS_A_LINE = 5;
const MAX_FAULT_LENGTH = 200;

/**
 * What a line may say: what an admin may set. What the service alone decides may be there, as an export has it, and is
 * passed over: an account is known by its email.
 */
const accountLine = z.strictObject({
  email,
  name: name.optional(),
  role: role.optional(),
  status: status.optional(),
  storageMode: storageMode.optional(),
  preferences: preferences.optional(),
  id: z.unknown().optional(),
  version: z.unknown().optional(),
  createdAt: z.unknown().optional(),
  updatedAt: z.unknown().optional(),
});

/**
 * Imports accounts, in one transaction that is left open for the unit of `em` to commit. Every line is held to the rules
 * of the API; preferences are replaced, not merged, and what a line does not give stays as it is. An email may come
 * again: in the mode `create` that line fails, in `upsert` it changes what the earlier one made.
 *
 * Throws `invalid_input` when a line has failed and `partial` is not wanted (`details.report` is the report),
 * `last_admin`, `forbidden` where its author may not change admins, and whatever the lines throw. Then nothing may be
 * committed.
 */
export async function importAccounts(
  em: EntityManager,
  lines: AsyncIterable<Line>,
  options: ImportOptions,
): Promise<ImportReport> {
  const { mode, partial, rules, onProgress } = options;
  const count: Record<Outcome | 'failed', number> = { created: 0, updated: 0, unchanged: 0, failed: 0 };
  const failures: ImportFailure[] = [];
  let takesAdminAway = false;
  let batch = new Map<string, ImportLine>();

  const fail = (line: number, faults: readonly InputError[]) => {
    count.failed++;
    if (count.failed > MAX_FAILURES) return;
    for (const { path, message } of faults.slice(0, MAX_FAULTS_A_LINE)) {
      failures.push({ line, path: clip(path), reason: clip(message) });
    }
  };
  const write = async () => {
    if (batch.size === 0) return;
    // Not before there is something to write: the body may take its time, and a transaction should not.
    if (!em.isInTransaction()) await em.begin();
    const result = await writeAccounts(em, batch, mode);
    for (const outcome of result.outcomes) count[outcome]++;
    for (const { number } of result.taken) fail(number, [EMAIL_TAKEN]);
    takesAdminAway ||= result.takesAdminAway;
    batch = new Map();
  };

  let read = 0;
  for await (const line of lines) {
    if (++read % BATCH_SIZE === 0) onProgress?.(read);
    const checked = 'faults' in line ? line : check(line.number, line.value, rules);
    if ('faults' in checked) {
      fail(checked.number, checked.faults);
    } else if (mode === 'create' && batch.has(checked.email)) {
      fail(checked.number, [EMAIL_TAKEN]);
    } else {
      // The second of two goes by what the first has left.
      if (batch.has(checked.email) || batch.size === BATCH_SIZE) await write();
      batch.set(checked.email, checked);
    }
  }
  await write();

  // What the database refused comes to light a batch later than what is wrong in itself.
  failures.sort((a, b) => a.line - b.line);
  const report = { ...count, failures };
  if (count.failed > 0 && !partial) throw refusal(report);
  if (takesAdminAway && (await lockActiveAdmins(em)).size === 0) throw lastAdmin();
  return report;
}

const EMAIL_TAKEN = { path: 'email', message: 'There is an account with this email already.' };

function check(
  number: number,
  value: unknown,
  rules: PreferenceRules,
): ImportLine | { number: number; faults: readonly InputError[] } {
  const result = accountLine.safeParse(value);
  if (!result.success) return { number, faults: errorsOf(result.error) };
  const { id, version, createdAt, updatedAt, ...fields } = result.data;
  const line = { ...fields, number, email: normalizeEmail(fields.email) };
  const faults: InputError[] = [];
  if (!isEmail(line.email)) faults.push({ path: 'email', message: 'This is not an email address.' });
  try {
    if (line.preferences !== undefined) line.preferences = checkPreferences(line.preferences, rules);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    faults.push(...(error.errors ?? []));
  }
  return faults.length > 0 ? { number, faults } : line;
}

function refusal(report: ImportReport): DomainError {
  const { failed, failures } = report;
  return new DomainError(
    'invalid_input',
    `Nothing was imported: ${failed} ${failed === 1 ? 'line is' : 'lines are'} not as they must be.`,
    {
      errors: failures.map(({ line, path, reason }) => ({
        path: path === '' ? `lines.${line}` : `lines.${line}.${path}`,
        message: reason,
      })),
      details: { report },
    },
  );
}

function clip(text: string): string {
  return text.length <= MAX_FAULT_LENGTH ? text : `${text.slice(0, MAX_FAULT_LENGTH - 1).toWellFormed()}…`;
}
