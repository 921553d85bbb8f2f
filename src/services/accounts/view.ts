import { mergePatch } from '../../domain/preferences.ts';
import type { Account } from '../../domain/user.ts';
import type { AccountChanges } from './accounts.ts';

/** What may leave of an account, over HTTP, in an export or on the command line: an allow-list, in JSON's types. */
export function accountView(account: Account) {
  return {
    id: account.id,
    email: account.email,
    name: account.name ?? null,
    role: account.role,
    status: account.status,
    preferences: account.preferences ?? {},
    storageMode: account.storageMode,
    version: account.version,
    /** ISO 8601, in UTC; so is `updatedAt`. */
    createdAt: account.createdAt.toISOString(),
    updatedAt: account.updatedAt.toISOString(),
  };
}

/** An account for who has changed it and may not read it: the fields that were given, and of the preferences the patch. */
export function writtenAccountView(account: Account, { preferences, ...given }: AccountChanges) {
  const fields = Object.entries(accountView(account)).filter(([field]) => Object.hasOwn(given, field));
  return {
    id: account.id,
    version: account.version,
    ...Object.fromEntries(fields),
    ...(preferences && { preferences: mergePatch({}, preferences) }),
  };
}

/** An account as it leaves. */
export type AccountView = ReturnType<typeof accountView>;
