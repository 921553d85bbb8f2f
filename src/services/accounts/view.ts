import type { EntityManager } from '@mikro-orm/postgresql';
import { mergePatch } from '../../domain/preferences.ts';
import type { Account, Role } from '../../domain/user.ts';
import type { AccountTexts } from '../../store/account-columns.ts';
import { isoTimeOf } from '../../store/rows.ts';
import type { AccountChanges } from './accounts.ts';

/** What may leave of an account, over HTTP, in an export or on the command line, in JSON's types. */
export function accountView(account: Account) {
  const times = {
    createdAt: account.createdAt.toISOString(),
    updatedAt: account.updatedAt.toISOString(),
    lastSeenAt: account.lastSeenAt?.toISOString() ?? null,
  };
  return { ...shown(account, times), preferences: account.preferences ?? {} };
}

/** The JSON of the view of an account that was read as texts: in a list, making objects of them would take most of the time. */
export function accountJson(em: EntityManager, account: AccountTexts): string {
  const times = {
    createdAt: isoTimeOf(em, account.createdAt),
    updatedAt: isoTimeOf(em, account.updatedAt),
    lastSeenAt: account.lastSeenAt === null ? null : isoTimeOf(em, account.lastSeenAt),
  };
  return `${JSON.stringify(shown(account, times)).slice(0, -1)},"preferences":${short(account.preferences ?? '{}')}}`;
}

/** The length from which on the JSON of preferences is printed anew, in characters. */
const LONG = 16_384;

/** PostgreSQL prints all digits of a number: `1e-300` takes three hundred. */
function short(json: string): string {
  return json.length < LONG ? json : JSON.stringify(JSON.parse(json));
}

/** The allow-list of both, but for the preferences. Times in ISO 8601, in UTC. A role that is over is shown as what it is about to be. */
function shown(
  account: Account | AccountTexts,
  { createdAt, updatedAt, lastSeenAt }: Pick<AccountTexts, 'createdAt' | 'updatedAt' | 'lastSeenAt'>,
) {
  const { id, email, name, status, storageMode, version, isLapsed = false } = account;
  const role: Role = isLapsed ? 'user' : account.role;
  const roleUntil = isLapsed ? null : (account.roleUntil ?? null);
  return {
    ...{ id, email, name: name ?? null, role, status, storageMode },
    ...{ version, createdAt, updatedAt, roleUntil, lastSeenAt },
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
