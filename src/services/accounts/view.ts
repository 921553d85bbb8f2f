import type { EntityManager } from '@mikro-orm/postgresql';
import { mergePatch } from '../../domain/preferences.ts';
import type { Account } from '../../domain/user.ts';
import type { AccountTexts } from '../../store/account-columns.ts';
import { isoTimeOf } from '../../store/rows.ts';
import type { AccountChanges } from './accounts.ts';

/** What may leave of an account, over HTTP, in an export or on the command line, in JSON's types. */
export function accountView({ preferences, ...account }: Account) {
  const createdAt = account.createdAt.toISOString();
  const updatedAt = account.updatedAt.toISOString();
  return { ...shown({ ...account, createdAt, updatedAt }), preferences: preferences ?? {} };
}

/** The JSON of the view of an account that was read as texts: in a list, making objects of them would take most of the time. */
export function accountJson(em: EntityManager, { preferences, ...account }: AccountTexts): string {
  const createdAt = isoTimeOf(em, account.createdAt);
  const updatedAt = isoTimeOf(em, account.updatedAt);
  const view = JSON.stringify(shown({ ...account, createdAt, updatedAt }));
  return `${view.slice(0, -1)},"preferences":${preferences ?? '{}'}}`;
}

/** The allow-list of both, without the preferences. Times in ISO 8601, in UTC. */
function shown(account: Omit<AccountTexts, 'preferences'>) {
  return {
    id: account.id,
    email: account.email,
    name: account.name ?? null,
    role: account.role,
    status: account.status,
    storageMode: account.storageMode,
    version: account.version,
    createdAt: account.createdAt,
    updatedAt: account.updatedAt,
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
