import { z } from 'zod';
import { ACTORS } from '../../domain/author.ts';
import { ACTIONS } from '../../domain/change.ts';
import { role, status, storageMode } from './account.ts';

/** Some fields of an account; of the preferences, a merge patch of the changed paths. */
const values = z
  .strictObject({
    email: z.string().optional(),
    name: z.string().nullable().optional(),
    role: role.optional(),
    status: status.optional(),
    storageMode: storageMode.optional(),
    preferences: z.record(z.string(), z.unknown()).optional(),
    createdAt: z.iso.datetime({ offset: true }).optional(),
  })
  .nullable();

const fields = {
  at: z.iso.datetime(),
  actorId: z.int().nullable().meta({ description: 'The account that acted; null for what is none.' }),
  actor: z.string().meta({ description: `${ACTORS}, as it was at the time.` }),
  requestId: z.string().nullable(),
  userId: z.int(),
  action: z.enum(ACTIONS),
  before: values.meta({ description: 'The changed fields as they were; null where there was no account.' }),
  after: values.meta({ description: 'The changed fields as they became; null where the account went.' }),
  version: z.int().meta({ description: "The account's, after the change." }),
  undoes: z.int().nullable().meta({ description: 'The change that this one takes back.' }),
  erasedAt: z.iso.datetime().nullable().meta({ description: 'Since when the values are erased.' }),
};

/** A moment as it comes in. */
export const moment = z.iso
  .datetime({ offset: true, error: 'It must be a time with an offset, such as 2026-01-31T12:00:00Z.' })
  .transform((text) => new Date(text))
  .meta({ examples: ['2026-01-31T12:00:00Z', '2026-01-31T13:00:00+01:00'] });

const EXAMPLE = {
  at: '2026-02-01T08:30:00.000Z',
  actorId: 1,
  actor: 'ada@example.com',
  requestId: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
  userId: 2,
  action: 'updated',
  before: { role: 'user', preferences: { theme: null } },
  after: { role: 'admin', preferences: { theme: 'dark' } },
  version: 3,
  undoes: null,
  erasedAt: null,
};

/** An entry of the history as it leaves. */
export const change = z
  .strictObject({ id: z.int(), ...fields })
  .meta({ id: 'Change', examples: [{ id: 7, ...EXAMPLE }] });

/** What a dry run would have written: at most {@link MAX_DRY_RUN_CHANGES}. */
export const dryRunChanges = z.array(
  z.strictObject(fields).meta({ id: 'DryRunChange', examples: [EXAMPLE] }),
);

/** An import has no end, and an answer must have one. */
export const MAX_DRY_RUN_CHANGES = 1_000;
