import type { ColumnMeaning, ImportFailure, ImportReport } from '../../domain/import-report.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import type { InputError } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import type { Unit } from '../../store/unit.ts';
import type { Line } from './formats/index.ts';
import { OUTCOMES, type Outcome, writeLines } from './import-batch.ts';
import { checkLine, type ImportLine } from './line-check.ts';

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

/**
 * How many lines one statement writes at most, and how many bytes of them at which no further line joins. Two batches are in memory:
 * one is written while the next is read.
 */
const BATCH_LINES = 2_000;
const BATCH_BYTES = 1024 * 1024;

/** After how many lines progress is told. */
const PROGRESS_LINES = 500;

/** A report must not grow with the nonsense in a file: the most faults of a line, the most characters of each, and of a name. */
const MAX_FAULTS_A_LINE = 5;
const MAX_FAULT_LENGTH = 200;

/** How many columns a report names, and how many ignored ones. */
export const MAX_COLUMNS = 100;

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
  let columns: readonly ColumnMeaning[] | undefined;
  let isReadable = true;
  let batch = new Map<string, ImportLine>();
  let batchBytes = 0;

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
    for (const outcome of OUTCOMES) count[outcome] += result.counts[outcome];
    for (const { number } of result.taken) fail(number, [emailTaken()]);
    for (const { number, faults } of result.refused) fail(number, faults);
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
    batchBytes = 0;
  };

  const readAll = async () => {
    let read = 0;
    for await (const line of lines) {
      if ('columns' in line) columns = line.columns?.slice(0, MAX_COLUMNS).map(clipColumn);
      if ('ignoredColumns' in line) {
        ignoredColumns = line.ignoredColumns.slice(0, MAX_COLUMNS).map(clip);
        continue;
      }
      if (++read % PROGRESS_LINES === 0) onProgress?.(read);
      const checked = 'faults' in line ? line : checkLine(line.number, line.value, rules);
      if ('faults' in checked) {
        fail(checked.number, checked.faults);
        isReadable &&= !('isFatal' in checked && checked.isFatal);
      } else if (mode === 'create' && batch.has(checked.email)) {
        fail(checked.number, [emailTaken()]);
      } else {
        // The second of two lines with one email changes what the first has left.
        const isFull = batch.size === BATCH_LINES || batchBytes >= BATCH_BYTES;
        if (isFull || batch.has(checked.email)) await write();
        batch.set(checked.email, checked);
        batchBytes += 'bytes' in line ? line.bytes : 0;
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
  const written = isRefused || unit.dryRun ? { ...nothingOf(count), ...(columns && { columns }) } : count;
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

function clipColumn({ name, field }: ColumnMeaning): ColumnMeaning {
  return { name: clip(name), field };
}

function clip(text: string): string {
  return text.length <= MAX_FAULT_LENGTH ? text : `${text.slice(0, MAX_FAULT_LENGTH - 1).toWellFormed()}…`;
}
