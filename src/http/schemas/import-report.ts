import { z } from 'zod';
import { MAX_FAILURES } from '../../services/transfer/import.ts';

const lines = z.int().min(0);

/** The report of an import, as it leaves. */
export const importReport = z
  .strictObject({
    created: lines,
    updated: lines,
    unchanged: lines.meta({ description: 'They said what was there already, and nothing was written.' }),
    failed: lines,
    failures: z
      .array(
        z.strictObject({
          line: z.int().min(1).meta({ description: 'Its number in the file, from 1.' }),
          path: z.string().meta({ description: 'The field, or nothing for the line as a whole.' }),
          reason: z.string(),
        }),
      )
      .meta({ description: `The faults of the first ${MAX_FAILURES} lines that failed.` }),
  })
  .meta({
    id: 'ImportReport',
    description: 'What became of the lines; for a dry run or a refusal, what would have.',
    examples: [
      {
        created: 1,
        updated: 0,
        unchanged: 0,
        failed: 1,
        failures: [{ line: 2, path: 'email', reason: 'There is an account with this email already.' }],
      },
    ],
  });
