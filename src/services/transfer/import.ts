import { z } from 'zod';
import { STATE_FIELDS } from '../../domain/change.ts';
import type { ImportFailure, ImportReport } from '../../domain/import-report.ts';
import { checkPreferences, type PreferenceRules } from '../../domain/preferences.ts';
import { type InputError, Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { acceptEmail, SHOWN_FIELDS } from '../../domain/user.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import type { Unit } from '../../store/unit.ts';
import { changeableFields, errorsOf, fields } from '../accounts/fields.ts';
import { creationTime } from './creation-time.ts';
import type { Line } from './formats/index.ts';
import { type ImportLine, type Outcome, writeLines } from './import-batch.ts';

/** What to do with an account that exists: `create` refuses the line, `upsert` changes what the line gives. */
export const IMPORT_MODES = ['create', 'upsert'] as const;
/** One of them. */
export type ImportMode = (typeof IMPORT_MODES)[number];

/** How to import. */
export interface ImportOptions {
  readonly mode: ImportMode;
  /** Whether the valid lines are imported even if others fail. */
  readonly partial: boolean;
  readonly rules: PreferenceRules;
  /** Called now and then with the number of lines read. */
  readonly onProgress?: (lines: number) => void;
}

/** How many failed lines a report names. */
export const MAX_FAILURES = 1_000;

/** How many lines one statement writes. Two batches are in memory: one is written while the next is read. */
const BATCH_SIZE = 500;

/** A report must not grow with the nonsense in a file: the most faults of a line, the most characters of each, and of a name. */
const MAX_FAULTS_A_LINE = 5;
const MAX_FAULT_LENGTH = 200;

/** How many ignored columns a report names. */
export const MAX_IGNORED_COLUMNS = 100;

/** Columns of an export that an import ignores: an account is known by its email. */
const IGNORED = SHOWN_FIELDS.filter(
  (column) => column !== 'createdAt' && !STATE_FIELDS.some((field) => field === column),
);

/** The fields of a line: what an admin may set, and for a new account the time of the sign-up. */
const accountLine = changeableFields.extend({
  ...Object.fromEntries(IGNORED.map((column) => [column, z.unknown().optional()])),
  email: fields.email,
  createdAt: creationTime.nullish(),
});

/**
 * Imports accounts in one transaction, which is left open for the unit to commit. Every line obeys the rules of the API;
 * preferences are replaced, not merged, and fields that a line does not give stay as they are; `createdAt` counts for a new
 * account only. An email may come again: in the mode `create` that line fails, in `upsert` it changes what the earlier line
 * made.
 *
 * Throws `invalid_input` when the file cannot be read or a line has failed without `partial` (`details.report` is the report), `last_admin`, `forbidden`
 * where the author may not change admins, and whatever reading the lines throws. Then nothing may be committed.
 */
export async function importAccounts(
  unit: Unit,
  lines: AsyncIterable<Line>,
  options: ImportOptions,
): Promise<ImportReport> {
  const { mode, partial, rules, onProgress } = options;
  const count: Record<Outcome | 'failed', number> = { created: 0, updated: 0, unchanged: 0, failed: 0 };
  const failures: ImportFailure[] = [];
  let takesAdminAway = false;
  let ignoredColumns: readonly string[] = [];
  let isReadable = true;
  let batch = new Map<string, ImportLine>();

  const fail = (line: number, faults: readonly InputError[]) => {
    count.failed++;
    if (count.failed > MAX_FAILURES) return;
    for (const { path, message } of faults.slice(0, MAX_FAULTS_A_LINE)) {
      failures.push({ line, path: clip(path), reason: clip(message) });
    }
  };
  const writeAll = async (lines: ReadonlyMap<string, ImportLine>) => {
    // Only when there is something to write: the body may take its time, and a transaction must not.
    await unit.begin();
    const result = await writeLines(unit, lines, mode);
    for (const outcome of result.outcomes) count[outcome]++;
    for (const { number } of result.taken) fail(number, [emailTaken()]);
    takesAdminAway ||= result.takesAdminAway;
  };
  let writing = Promise.resolve();
  /** Begins to write the batch once the one before is written. */
  const write = async () => {
    await writing;
    if (batch.size === 0) return;
    writing = writeAll(batch);
    // The next `await writing` throws its error.
    writing.catch(() => undefined);
    batch = new Map();
  };

  const readAll = async () => {
    let read = 0;
    for await (const line of lines) {
      if ('ignoredColumns' in line) {
        ignoredColumns = line.ignoredColumns.slice(0, MAX_IGNORED_COLUMNS).map(clip);
        continue;
      }
      if (++read % BATCH_SIZE === 0) onProgress?.(read);
      const checked = 'faults' in line ? line : check(line.number, line.value, rules);
      if ('faults' in checked) {
        fail(checked.number, checked.faults);
        isReadable &&= !('isFatal' in checked && checked.isFatal);
      } else if (mode === 'create' && batch.has(checked.email)) {
        fail(checked.number, [emailTaken()]);
      } else {
        // The second of two lines with one email changes what the first has left.
        if (batch.has(checked.email) || batch.size === BATCH_SIZE) await write();
        batch.set(checked.email, checked);
      }
    }
    await write();
  };
  // A rollback must come after the last statement.
  await readAll().finally(() => writing.catch(() => undefined));
  await writing;

  // What the database refused shows a batch later than what is wrong in itself.
  failures.sort((a, b) => a.line - b.line);
  const isRefused = !isReadable || (count.failed > 0 && !partial);
  const written = isRefused || unit.dryRun ? nothingOf(count) : count;
  const report = { ...written, ignoredColumns, failures };
  if (isRefused) throw refusals.invalidLines(report);
  if (takesAdminAway) await requireActiveAdmin(unit.em);
  return report;
}

/** The counts of an import that leaves nothing behind. */
function nothingOf<Count extends Record<Outcome, number>>(count: Count) {
  return { ...count, created: 0, updated: 0, wouldCreate: count.created, wouldUpdate: count.updated };
}

function emailTaken(): InputError {
  return { path: 'email', message: refusals.emailTaken().message };
}

function check(
  number: number,
  value: unknown,
  rules: PreferenceRules,
): ImportLine | { number: number; faults: readonly InputError[] } {
  const result = accountLine.safeParse(value);
  if (!result.success) return { number, faults: errorsOf(result.error) };
  const { email: given, preferences, createdAt, ...values } = result.data;
  const faults: InputError[] = [];
  let email = '';
  try {
    email = acceptEmail(given);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    faults.push({ path: 'email', message: error.message });
  }
  try {
    const checked = preferences === undefined ? undefined : checkPreferences(preferences, rules);
    if (faults.length === 0) return { number, email, createdAt, values: { ...values, preferences: checked } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    faults.push(...(error.errors ?? []));
  }
  return { number, faults };
}

function clip(text: string): string {
  return text.length <= MAX_FAULT_LENGTH ? text : `${text.slice(0, MAX_FAULT_LENGTH - 1).toWellFormed()}…`;
}
