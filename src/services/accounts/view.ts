import type { Account } from '../../domain/user.ts';

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

/** An account as it leaves. */
export type AccountView = ReturnType<typeof accountView>;
