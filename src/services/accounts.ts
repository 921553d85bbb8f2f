import type { EntityManager } from '@mikro-orm/postgresql';
import { normalizeEmail } from '../domain/email.ts';
import { DomainError } from '../domain/errors.ts';
import type { AccountLookup, User } from '../domain/user.ts';

/** The account that a sign-in with `email` speaks for. Throws `account_required` where there is none. */
export async function accountOf(em: EntityManager, email: string, find: AccountLookup): Promise<User> {
  const account = await find(em, normalizeEmail(email));
  if (account === null) throw new DomainError('account_required', 'There is no account for this sign-in.');
  return account;
}
