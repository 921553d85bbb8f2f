import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import { MAX_FAILURES } from '../../services/transfer/import.ts';

const lines = z.int().min(0);

/** The schema of an import's report. */
export const importReport = z
  .strictObject({
    created: lines,
    updated: lines,
    unchanged: lines.meta({ description: 'Lines that match the account already; nothing was written.' }),
    failed: lines,
    failures: z
      .array(
        z.strictObject({
          line: z.int().min(1).meta({ description: 'Line number in the file, from 1.' }),
          path: z.string().meta({ description: 'The field; empty for the whole line.' }),
          reason: z.string(),
        }),
      )
      .meta({ description: `Faults of the first ${MAX_FAILURES} failed lines.` }),
  })
  .meta({
    id: 'ImportReport',
    description: 'The outcome of an import; for a dry run or a refusal, what it would have been.',
    examples: [
      {
        created: 1,
        updated: 0,
        unchanged: 0,
        failed: 1,
        failures: [{ line: 2, path: 'email', reason: refusals.emailTaken().message }],
      },
    ],
  });
