import { ChangeSetType, type EventSubscriber, type FlushEventArgs, wrap } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../domain/author.ts';
import { type ChangeDraft, creation, deletion, difference, stateOf } from '../domain/change.ts';
import { recordChanges } from '../domain/change-log.ts';
import { User } from '../domain/user.ts';

/** What a change set will have been, to be called once it is written: only then is everything known. */
type Pending = () => ChangeDraft;

/**
 * Writes every change of an account into the history, in the transaction of the flush that writes the account: what
 * commits is recorded, and what rolls back is not.
 */
export class HistoryRecorder implements EventSubscriber {
  readonly #pending = new WeakMap<object, Pending[]>();

  onFlush({ em, uow }: FlushEventArgs): void {
    const pending = uow
      .getChangeSets()
      .flatMap(({ type, entity }) => (entity instanceof User ? [follow(type, entity)] : []));
    if (pending.length === 0) return;
    // Without a transaction around all of it, the flush would be committed before its history is written.
    if (!em.isInTransaction()) throw new Error('Accounts are changed in units of work only.');
    authorOf(em as EntityManager);
    this.#pending.set(uow, pending);
  }

  async afterFlush({ em, uow }: FlushEventArgs): Promise<void> {
    const pending = this.#pending.get(uow) ?? [];
    this.#pending.delete(uow);
    await recordChanges(
      em as EntityManager,
      pending.map((complete) => complete()),
    );
  }
}

function follow(type: ChangeSetType, entity: User): Pending {
  if (type === ChangeSetType.CREATE) {
    return () => ({ ...creation(stateOf(entity)), userId: entity.id, version: entity.version });
  }
  const loaded = asLoaded(entity);
  if (type === ChangeSetType.DELETE) {
    const { id, version, createdAt } = entity;
    const before = { ...stateOf(loaded), createdAt: createdAt.toISOString() };
    return () => ({ ...deletion(before), userId: id, version: version + 1 });
  }
  const found = difference(stateOf(loaded), stateOf(entity));
  if (found === undefined) throw new Error('An account has changed in nothing that its history knows of.');
  return () => ({ ...found, userId: entity.id, version: entity.version });
}

/** The account as it came from the database; the ORM keeps JSON as text to compare it. */
function asLoaded(entity: User): User {
  const { preferences, ...rest } = wrap(entity, true).__originalEntityData as User;
  return {
    ...rest,
    preferences: typeof preferences === 'string' ? JSON.parse(preferences) : preferences,
  } as User;
}
