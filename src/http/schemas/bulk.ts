import { z } from 'zod';
import { MAX_BULK } from '../../services/accounts/bulk.ts';
import { fields, MAX_ID } from '../../services/accounts/fields.ts';
import { dryRunChanges } from './change.ts';

const CHANGES = ['role', 'status', 'storageMode', 'delete'] as const;

/** The schema of a bulk change: ids, and one change of all these accounts. */
export const bulkChange = z
  .strictObject({
    ids: z.array(z.int().min(1).max(MAX_ID)).min(1).max(MAX_BULK),
    role: fields.role.optional(),
    status: fields.status.optional(),
    storageMode: fields.storageMode.optional(),
    delete: z.literal(true).optional(),
  })
  .refine(
    (given) => CHANGES.filter((name) => given[name] !== undefined).length === 1,
    `Must have one of ${CHANGES.join(', ')}.`,
  )
  .meta({
    id: 'BulkChange',
    description: `The ids of accounts, and one change of all of them: one of ${CHANGES.map((name) => `\`${name}\``).join(', ')}.`,
    minProperties: 2,
    maxProperties: 2,
    examples: [
      { ids: [2, 3], status: 'suspended' },
      { ids: [2, 3], delete: true },
    ],
  });

const accounts = z.int().min(0);

/** The schema of a bulk change's report. */
export const bulkReport = z
  .strictObject({
    changed: accounts.meta({ description: '0 after a dry run: nothing was written.' }),
    wouldChange: accounts
      .optional()
      .meta({ description: 'Only after a dry run: accounts that would have been changed.' }),
    unchanged: accounts.meta({ description: 'Accounts that were so already; nothing was written.' }),
    missing: accounts,
    missingIds: z.array(z.int()).max(MAX_BULK).meta({ description: 'The ids that no account has.' }),
    requestId: z
      .string()
      .nullable()
      .meta({ description: 'The request id of the changes: undoing one of them as a whole takes back all.' }),
    changes: dryRunChanges
      .optional()
      .meta({ description: 'Only after a dry run: what it would have recorded.' }),
  })
  .meta({
    id: 'BulkReport',
    description: 'The outcome of a bulk change.',
    examples: [
      {
        changed: 1,
        unchanged: 0,
        missing: 1,
        missingIds: [3],
        requestId: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
      },
    ],
  });
