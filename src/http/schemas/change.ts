import { z } from 'zod';
import { ACTORS } from '../../domain/author.ts';
import { ACTIONS } from '../../domain/change.ts';
import { account } from './account.ts';

/** Some fields of an account; of the preferences, a merge patch of the changed paths. */
const values = account
  .omit({ id: true, version: true, createdAt: true, updatedAt: true, lastSeenAt: true })
  .partial()
  .extend({ createdAt: z.iso.datetime({ offset: true }).optional() })
  .meta({
    id: 'AccountValues',
    description: 'Some fields of an account; of the preferences, a merge patch of the changed paths.',
  })
  .nullable();

/** The schema of the id of a change, as text. */
export const changeId = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, 'Must be the id of a change.')
  .transform(Number)
  .meta({ override: { type: 'integer', minimum: 1, maximum: 999_999_999_999_999 } });

/** The schema of a kind of change. */
export const action = z.enum(ACTIONS).meta({ id: 'Action' });

const fields = {
  at: z.iso.datetime(),
  actorId: z.int().nullable().meta({ description: 'The account that acted; null where none did.' }),
  actor: z.string().meta({ description: `Who acted: ${ACTORS}, as at the time.` }),
  requestId: z.string().nullable(),
  userId: z.int(),
  action,
  before: values.meta({ description: 'The changed fields before the change; null for a creation.' }),
  after: values.meta({ description: 'The changed fields after the change; null for a deletion.' }),
  version: z.int().meta({ description: "The account's version after the change." }),
  undoes: z.int().nullable().meta({ description: 'The change that this one undoes.' }),
  reason: z
    .string()
    .nullable()
    .meta({ description: "Why, in the author's words; null where none were given." }),
  erasedAt: z.iso.datetime().nullable().meta({ description: 'When the values were erased.' }),
};

/** A time in a query. */
export const moment = z.iso
  .datetime({ offset: true, error: 'Must be a time with an offset, such as 2026-01-31T12:00:00Z.' })
  .transform((text) => new Date(text))
  .meta({ examples: ['2026-01-31T12:00:00Z', '2026-01-31T13:00:00+01:00'] });

/** An example of a change, without its id. */
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
  reason: 'She runs the team now.',
  erasedAt: null,
};

/** An example of a change of each kind. */
export const CHANGE_EXAMPLES = {
  created: {
    id: 2,
    ...EXAMPLE,
    action: 'created',
    before: null,
    after: { email: 'grace@example.com', name: 'Grace Hopper', role: 'user' },
    version: 1,
    reason: null,
  },
  updated: { id: 7, ...EXAMPLE },
  deleted: {
    id: 9,
    ...EXAMPLE,
    action: 'deleted',
    before: { email: 'grace@example.com', name: 'Grace Hopper', role: 'admin' },
    after: null,
    version: 4,
    reason: null,
  },
};

/** The schema of an entry of the history. */
export const change = z
  .strictObject({ id: z.int(), ...fields })
  .meta({ id: 'Change', examples: [CHANGE_EXAMPLES.updated] });

/** The schema of what a dry run would have recorded. */
export const dryRunChanges = z.array(
  z.strictObject(fields).meta({ id: 'DryRunChange', examples: [EXAMPLE] }),
);

/** The schema of the answer to a dry run. */
export const dryRun = z.strictObject({ changes: dryRunChanges }).meta({ id: 'DryRun' });
