import { type ChangeSet, type UnitOfWork, wrap } from '@mikro-orm/core';
import { User } from '../domain/user.ts';

/** The changes of accounts that a flush is about to write. */
export function accountChangeSets(uow: UnitOfWork): ChangeSet<User>[] {
  return uow.getChangeSets().filter(({ entity }) => entity instanceof User) as unknown as ChangeSet<User>[];
}

/** The account as it was loaded, in database values; `undefined` for a new one. */
export function originalOf(account: User): Partial<User> | undefined {
  return wrap(account, true).__originalEntityData as Partial<User> | undefined;
}
