import type { ImportReport } from '../domain/import-report.ts';
import type { UndoReport } from '../domain/undo-report.ts';
import type { Verification } from '../services/history/verification.ts';
import { table } from './table.ts';

/** The columns of an account that fit a line. */
const ACCOUNT_COLUMNS = ['id', 'email', 'name', 'role', 'status', 'version', 'createdAt'];

/** The columns of a count, where it has them. */
const COUNT_COLUMNS = [
  'created',
  'updated',
  'unchanged',
  'failed',
  'wouldCreate',
  'wouldUpdate',
  'undone',
  'wouldUndo',
  'skipped',
  'cut',
  'erased',
  'accounts',
  'changes',
  'wrong',
  'requestId',
];

/** A command's result for people: one account or several, a link, or a count of what was done. */
export function printed(result: unknown): string {
  if (typeof result === 'string') return result.trimEnd();
  if (Array.isArray(result)) return table(ACCOUNT_COLUMNS, result);
  const record = result as Record<string, unknown>;
  if ('link' in record) return `${record['link']}`;
  for (const word of ['published', 'removed'])
    if (word in record) return `${word}: ${(record[word] as string[]).join(', ')}`;
  if ('email' in record) return table(ACCOUNT_COLUMNS, [record]);
  const counts = table(
    COUNT_COLUMNS.filter((column) => column in record),
    [record],
  );
  if ('findings' in record) return `${counts}${findingsOf(result as Verification)}`;
  if ('skippedChanges' in record) return `${counts}${skippedOf(result as UndoReport)}`;
  return 'failures' in record ? `${counts}${detailsOf(result as ImportReport)}` : counts;
}

function detailsOf({ ignoredColumns, failures }: ImportReport): string {
  const ignored = ignoredColumns.map((column) => ({ 'ignored column': column }));
  const tables = [
    ...(ignored.length > 0 ? [table(['ignored column'], ignored)] : []),
    ...(failures.length > 0
      ? [
          table(
            ['line', 'path', 'reason'],
            failures.map((failure) => ({ ...failure })),
          ),
        ]
      : []),
  ];
  return tables.map((text) => `\n\n${text}`).join('');
}

function skippedOf({ skipped, skippedChanges }: UndoReport): string {
  if (skipped === 0) return '';
  const rows = skippedChanges.map(({ id, userId, reason, fields }) => ({
    changeId: id,
    userId,
    reason,
    fields: fields.join(', '),
  }));
  const more = skipped > rows.length ? `\nand ${skipped - rows.length} more` : '';
  return `\n\n${table(['changeId', 'userId', 'reason', 'fields'], rows)}${more}`;
}

function findingsOf({ findings, wrong }: Verification): string {
  if (wrong === 0) return '';
  const rows = findings.map((finding) => ({ ...finding }));
  const more = wrong > rows.length ? `\nand ${wrong - rows.length} more` : '';
  return `\n\n${table(['userId', 'changeId', 'field', 'expected', 'found'], rows)}${more}`;
}
