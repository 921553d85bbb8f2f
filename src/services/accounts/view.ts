import type { EntityManager } from '@mikro-orm/postgresql';
import { mergePatch } from '../../domain/preferences.ts';
import type { Account, Role } from '../../domain/user.ts';
import type { AccountTexts } from '../../store/account-columns.ts';
import { isoTimeOf } from '../../store/rows.ts';
import type { AccountChanges } from './accounts.ts';

/** What may leave of an account, over HTTP, in an export or on the command line, in JSON's types. */
export function accountView(account: Account) {
  const { preferences, lastSeenAt } = account;
  const own = shown(
    account,
    account.createdAt.toISOString(),
    account.updatedAt.toISOString(),
    lastSeenAt?.toISOString() ?? null,
  );
  return { ...own, preferences: preferences ?? {} };
}

/** The JSON of the view of an account that was read as texts: in a list, making objects of them would take most of the time. */
export function accountJson(em: EntityManager, account: AccountTexts): string {
  const { preferences, lastSeenAt } = account;
  const own = shown(
    account,
    isoTimeOf(em, account.createdAt),
    isoTimeOf(em, account.updatedAt),
    lastSeenAt === null ? null : isoTimeOf(em, lastSeenAt),
  );
  return `${JSON.stringify(own).slice(0, -1)},"preferences":${short(preferences ?? '{}')}}`;
}

/** From this length on, in characters, the JSON of preferences is printed again. */
const LONG = 16_384;

/** PostgreSQL prints all digits of a number: `1e-300` takes three hundred. */
function short(json: string): string {
  return json.length < LONG ? json : JSON.stringify(JSON.parse(json));
}

/** The allow-list of both, but for the preferences. Times in ISO 8601, in UTC. A role that is over is shown as what it is about to be. */
function shown(
  {
    id,
    email,
    name,
    role,
    status,
    storageMode,
    version,
    roleUntil,
    isLapsed = false,
  }: Account | AccountTexts,
  createdAt: string,
  updatedAt: string,
  lastSeenAt: string | null,
) {
  return {
    id,
    email,
    name: name ?? null,
    role: isLapsed ? ('user' satisfies Role) : role,
    status,
    storageMode,
    version,
    createdAt,
    updatedAt,
    roleUntil: isLapsed ? null : (roleUntil ?? null),
    lastSeenAt,
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
