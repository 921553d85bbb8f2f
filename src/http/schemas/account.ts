import { z } from 'zod';
import { status, storageMode } from '../../services/accounts/fields.ts';

export { email, id, name, preferences, role, status, storageMode } from '../../services/accounts/fields.ts';

/** An example that holds in every place where an account is shown. */
const EXAMPLE = {
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
};

/** An account as it leaves. */
export const account = z
  .strictObject({
    id: z.int(),
    email: z.string(),
    name: z.string().nullable(),
    role: z.string(),
    status,
    preferences: z.record(z.string(), z.unknown()),
    storageMode,
    version: z.int().meta({ description: 'Counts its changes; `ETag` has it too.' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Account', examples: [EXAMPLE] });

/** The header that comes with each answer that shows one account, or a part of it. */
export const ETAG = { ETag: "The account's version, for `If-Match` and `If-None-Match`." };
