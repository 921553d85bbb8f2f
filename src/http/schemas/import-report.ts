import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import { MAX_COLUMNS, MAX_FAILURES } from '../../services/transfer/import.ts';
import { dryRunChanges } from './change.ts';

const lines = z.int().min(0);

/** The schema of an import's report. */
export const importReport = z
  .strictObject({
    created: lines.meta({ description: '0 after a dry run or a refusal: nothing was written.' }),
    updated: lines.meta({ description: '0 after a dry run or a refusal.' }),
    unchanged: lines.meta({ description: 'Lines that match the account already; nothing was written.' }),
    failed: lines,
    wouldCreate: lines.optional().meta({
      description: 'Only after a dry run or a refusal: lines that would have created an account.',
    }),
    wouldUpdate: lines.optional().meta({
      description: 'Only after a dry run or a refusal: lines that would have changed an account.',
    }),
    columns: z
      .array(
        z.strictObject({
          name: z.string(),
          field: z.string().nullable().meta({ description: 'The field that it gives; null for none.' }),
        }),
      )
      .max(MAX_COLUMNS)
      .optional()
      .meta({
        description: `Only after a dry run or a refusal of a CSV file: what its columns are taken for, in their order, up to ${MAX_COLUMNS} of them.`,
      }),
    ignoredColumns: z
      .array(z.string())
      .max(MAX_COLUMNS)
      .meta({
        description: `The columns of a CSV file that mean nothing here, up to ${MAX_COLUMNS} of them.`,
      }),
    failures: z
      .array(
        z
          .strictObject({
            line: z.int().min(1).meta({ description: 'Line number in the file, from 1.' }),
            path: z.string().meta({ description: 'The field; empty for the whole line.' }),
            reason: z.string(),
          })
          .meta({ id: 'ImportFailure' }),
      )
      .meta({ description: `Faults of the first ${MAX_FAILURES} failed lines.` }),
    changes: dryRunChanges
      .optional()
      .meta({ description: 'Only after a dry run: what it would have recorded.' }),
  })
  .meta({
    id: 'ImportReport',
    description: 'The outcome of an import.',
    examples: [
      {
        created: 1,
        updated: 0,
        unchanged: 0,
        failed: 1,
        ignoredColumns: ['Department'],
        failures: [{ line: 2, path: 'email', reason: refusals.emailTaken().message }],
      },
    ],
  });
