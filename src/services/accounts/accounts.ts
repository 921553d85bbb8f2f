import type { EntityManager } from '@mikro-orm/postgresql';
import { normalizeEmail } from '../../domain/email.ts';
import { DomainError } from '../../domain/errors.ts';
import {
  checkPreferences,
  type PreferenceRules,
  type Preferences,
  patchPreferences,
} from '../../domain/preferences.ts';
import { type Role, type Status, type StorageMode, User } from '../../domain/user.ts';
import type { Unit } from '../../store/unit.ts';

/** What one may set of one's own account. */
export interface OwnChanges {
  readonly name?: string | null | undefined;
  readonly storageMode?: StorageMode | undefined;
  /** A JSON Merge Patch (RFC 7396) of the preferences. */
  readonly preferences?: Preferences | undefined;
}

/** What admins may set of any account. */
export interface AdminChanges extends OwnChanges {
  readonly email?: string | undefined;
  readonly role?: Role | undefined;
  readonly status?: Status | undefined;
}

/** What an account begins with. */
export interface NewAccount {
  readonly email: string;
  readonly name?: string | null | undefined;
  readonly role?: Role | undefined;
  readonly storageMode?: StorageMode | undefined;
  readonly preferences?: Preferences | undefined;
}

/** The account with this id. Throws `not_found`. */
export async function accountById(em: EntityManager, id: number): Promise<User> {
  const account = await em.findOne(User, { id });
  if (account === null) throw new DomainError('not_found', 'There is no such account.');
  return account;
}

/**
 * Changes an account that has been claimed. Throws `invalid_input` for preferences that cannot be kept, `email_invalid`,
 * and, when it is flushed, `email_taken` and `last_admin`.
 */
export function changeAccount(account: User, changes: AdminChanges, rules: PreferenceRules): void {
  if (changes.email !== undefined) account.rename(changes.email);
  if (changes.name !== undefined) account.name = changes.name;
  if (changes.role !== undefined) account.role = changes.role;
  if (changes.status !== undefined) account.status = changes.status;
  if (changes.storageMode !== undefined) account.storageMode = changes.storageMode;
  if (changes.preferences !== undefined) {
    account.prefer(patchPreferences(account.preferences ?? {}, changes.preferences, rules));
  }
}

/** Replaces the preferences of an account that has been claimed. Throws `invalid_input`. */
export function setPreferences(account: User, preferences: unknown, rules: PreferenceRules): void {
  account.prefer(checkPreferences(preferences, rules));
}

/** Makes an account, which exists once it is flushed. Throws what {@link changeAccount} throws. */
export function createAccount({ em }: Pick<Unit, 'em'>, input: NewAccount, rules: PreferenceRules): User {
  const { email, preferences, ...rest } = input;
  const account = new User(email);
  changeAccount(account, rest, rules);
  if (preferences !== undefined) setPreferences(account, preferences, rules);
  em.persist(account);
  return account;
}

/** The account with this email, in any form of it. Throws `not_found`. */
export async function accountByEmail({ em }: Unit, email: string): Promise<User> {
  const account = await em.findOne(User, { email: normalizeEmail(email) });
  if (account === null) throw new DomainError('not_found', `There is no account with the email ${email}.`);
  return account;
}
