import { type ChangeSet, ChangeSetType, type UnitOfWork, wrap } from '@mikro-orm/core';
import { creation, type Difference, deletion, difference, stateOf } from '../domain/change.ts';
import { isAdmin, User } from '../domain/user.ts';

/** The changes of accounts that a flush is about to write. */
export function accountChangeSets(uow: UnitOfWork): ChangeSet<User>[] {
  return uow.getChangeSets().filter(({ entity }) => entity instanceof User) as unknown as ChangeSet<User>[];
}

/** The account as it was loaded, in database values; `undefined` for a new one. */
export function originalOf(account: User): Partial<User> | undefined {
  return wrap(account, true).__originalEntityData as Partial<User> | undefined;
}

/** Whether the account is an admin, or was one when it was loaded. */
export function isOfAdmin(account: User): boolean {
  return isAdmin(account) || isAdmin(originalOf(account) ?? {});
}

/** The differences of updates: the limit of the history measures what is then recorded. */
const known = new WeakMap<ChangeSet<User>, Difference>();

/**
 * What the history records of a change that a flush is about to write. Call it before the flush, which forgets what was loaded, and
 * change nothing between two calls.
 */
export function differenceOf(changeSet: ChangeSet<User>): Difference {
  const found = known.get(changeSet) ?? newDifferenceOf(changeSet);
  // The database gives a new account some of its values.
  if (changeSet.type === ChangeSetType.UPDATE) known.set(changeSet, found);
  return found;
}

function newDifferenceOf({ type, entity }: ChangeSet<User>): Difference {
  if (type === ChangeSetType.CREATE) return creation(stateOf(entity));
  const loaded = stateOf(asLoaded(entity));
  if (type === ChangeSetType.DELETE) {
    return deletion({ ...loaded, createdAt: entity.createdAt.toISOString() });
  }
  const found = difference(loaded, stateOf(entity));
  if (found === undefined) throw new Error('An account changed in nothing that the history records.');
  return found;
}

/** The account as it came from the database; the ORM keeps its JSON as text to compare it. */
function asLoaded(entity: User): User {
  const { preferences, ...rest } = originalOf(entity) as User;
  return {
    ...rest,
    preferences: typeof preferences === 'string' ? JSON.parse(preferences) : preferences,
  } as User;
}
