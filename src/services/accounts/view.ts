import type { Account, Status, StorageMode } from '../../domain/user.ts';

/** An account as it leaves, by whatever door: an allow-list, of what JSON can say. */
export interface AccountRecord {
  readonly id: number;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly status: Status;
  readonly preferences: Record<string, unknown>;
  readonly storageMode: StorageMode;
  readonly version: number;
  /** ISO 8601, in UTC; the other too. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What may leave of an account. */
export function accountRecord(account: Account): AccountRecord {
  return {
    id: account.id,
    email: account.email,
    name: account.name ?? null,
    role: account.role,
    status: account.status,
    preferences: account.preferences ?? {},
    storageMode: account.storageMode,
    version: account.version,
    createdAt: account.createdAt.toISOString(),
    updatedAt: account.updatedAt.toISOString(),
  };
}
