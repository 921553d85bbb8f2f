import { z } from 'zod';
import { fields } from '../../services/accounts/fields.ts';
import type { AccountView } from '../../services/accounts/view.ts';

const EXAMPLE: AccountView = {
  id: 1,
  email: 'ada@example.com',
  name: 'Ada Lovelace',
  role: 'admin',
  status: 'active',
  preferences: { theme: 'dark' },
  storageMode: 'account',
  version: 3,
  createdAt: '2026-01-31T12:00:00.000Z',
  updatedAt: '2026-02-01T08:30:00.000Z',
  roleUntil: null,
  lastSeenAt: '2026-02-03T17:45:00.000Z',
};

/** The schema of {@link AccountView}. */
export const account = z
  .strictObject({
    id: z.int(),
    ...fields,
    // A role may be added later, which must not break clients.
    role: z.string(),
    roleUntil: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the role of an admin ends by itself; null for never.' }),
    version: z.int().meta({ description: 'The number of its changes, as in `ETag`.' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime().nullable().meta({
      description:
        'When it last made a request, up to an hour behind; null for never, and in views of the past. No change: it is not in the history, and `version`, `updatedAt` and `ETag` stay.',
    }),
  })
  .meta({ id: 'Account', examples: [EXAMPLE] });

/** The schema of an account that a service token without `users:read` has changed. */
export const writtenAccount = account
  .omit({ createdAt: true, updatedAt: true, lastSeenAt: true })
  .partial()
  .required({ id: true, version: true })
  .meta({
    id: 'WrittenAccount',
    description: 'For service tokens without `users:read`: the fields that were written.',
    examples: [{ id: 1, version: 3, name: 'Ada Lovelace' }],
  });

/** The description of the warning header, for answers to writes that can remove an admin. */
export const SEED_WARNING = {
  'Rollcall-Warning':
    'Set where an account in `INITIAL_ADMINS` is no longer an active admin: the next start undoes that.',
};

/** The description of the header of every answer that shows one account or a part of it. */
export const ETAG = { ETag: "The account's version, for `If-Match` and `If-None-Match`." };
