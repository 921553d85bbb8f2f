import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountValues, STATE_FIELDS, type StateField } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { checkPreferences, type PreferenceRules, patchPreferences } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import { type Account, acceptEmail, requireRoleChange, roleAfter, User } from '../../domain/user.ts';
import type { Unit } from '../../store/unit.ts';

/** New values of an account's fields; of the preferences, a JSON Merge Patch (RFC 7396). `undefined` leaves a field as it is. */
export type AccountChanges = { readonly [Field in keyof AccountValues]?: AccountValues[Field] | undefined };

/** The values of a new account. */
export type NewAccount = AccountChanges & { readonly email: string };

/** The fields that take any value which their schema lets through. */
const PLAIN_FIELDS = STATE_FIELDS.filter(
  (field) => !['email', 'preferences', 'role', 'roleUntil'].includes(field),
);

/** The account with this id. Throws `not_found`. */
export async function accountById(em: EntityManager, id: number): Promise<User> {
  const account = await em.findOne(User, { id });
  if (account === null) throw refusals.notFound('account with this id');
  return account;
}

/** The account with this email, in any form of it. Throws `not_found`. */
export async function accountByEmail(em: EntityManager, email: string): Promise<User> {
  const account = await em.findOne(User, { email: normalizeEmail(email) });
  if (account === null) throw refusals.notFound(`account with the email ${email}`);
  return account;
}

/**
 * Changes an account that has been claimed. Throws `invalid_input` for preferences and ends of roles that are not allowed, `email_invalid`,
 * and, at the flush, `email_taken` and `last_admin`.
 */
export function changeAccount(account: User, changes: AccountChanges, rules: PreferenceRules): void {
  const { preferences, ...values } = changedValues(account, changes, rules);
  const isProlonged = values.roleUntil !== undefined && values.roleUntil !== account.roleUntil;
  Object.assign(account, values, isProlonged && { isLapsed: false });
  if (preferences) account.prefer(preferences);
}

/** The values that the changes give an account. Throws `invalid_input` for preferences that are not allowed, and `email_invalid`. */
export function changedValues(
  account: Pick<Account, 'preferences'> & Partial<Pick<Account, 'role' | 'roleUntil'>>,
  changes: AccountChanges,
  rules: PreferenceRules,
): Partial<Pick<Account, StateField>> {
  const { email, preferences, role, roleUntil } = changes;
  const plain = PLAIN_FIELDS.filter((field) => changes[field] !== undefined);
  const now = new Date();
  requireRoleChange(account, { role, roleUntil }, now);
  return {
    ...(email !== undefined && { email: acceptEmail(email) }),
    ...((role ?? roleUntil) !== undefined && roleAfter(account, { role, roleUntil }, now)),
    ...Object.fromEntries(plain.map((field) => [field, changes[field]])),
    ...(preferences !== undefined && {
      preferences: patchPreferences(account.preferences ?? {}, preferences, rules),
    }),
  };
}

/** Replaces the preferences of an account that has been claimed. Throws `invalid_input`. */
export function setPreferences(account: User, preferences: unknown, rules: PreferenceRules): void {
  account.prefer(checkPreferences(preferences, rules));
}

/** Deletes an account that has been claimed. Throws `last_admin` at the flush. */
export function deleteAccount({ em }: Unit, account: User): void {
  em.remove(account);
}

/** Creates an account, which exists once the unit is flushed. Throws what {@link changeAccount} throws. */
export function createAccount({ em }: Unit, input: NewAccount, rules: PreferenceRules): User {
  const { email, preferences, ...rest } = input;
  const account = new User(email);
  changeAccount(account, rest, rules);
  if (preferences !== undefined) setPreferences(account, preferences, rules);
  em.persist(account);
  return account;
}
