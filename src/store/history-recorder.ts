import { ChangeSetType, type EventSubscriber, type FlushEventArgs, wrap } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../domain/author.ts';
import { type ChangeDraft, creation, deletion, difference, erased, stateOf } from '../domain/change.ts';
import { User } from '../domain/user.ts';
import { recordChanges } from './change-log.ts';
import { eraseHistory } from './erase-history.ts';
import { refuseServices } from './service-limits.ts';

/** What a change set will have been, to be called once it is written: only then is everything known. */
type Pending = () => ChangeDraft;

/**
 * Writes every change of an account into the history, in the transaction of the flush that writes the account: what
 * commits is recorded, and what rolls back is not. A deletion that is to erase does so in the same transaction.
 */
export class HistoryRecorder implements EventSubscriber {
  readonly #pending = new WeakMap<object, Pending[]>();
  readonly #eraseAtOnce: boolean;

  /** With `eraseAtOnce`, every deletion erases, whoever its author is. */
  constructor({ eraseAtOnce }: { eraseAtOnce: boolean }) {
    this.#eraseAtOnce = eraseAtOnce;
  }

  onFlush({ em, uow }: FlushEventArgs): void {
    const changed = uow
      .getChangeSets()
      .filter((set): set is typeof set & { entity: User } => set.entity instanceof User);
    if (changed.length === 0) return;
    // Without a transaction around all of it, the flush would be committed before its history is written.
    if (!em.isInTransaction()) throw new Error('Accounts are changed in units of work only.');
    // Here already, or others would be quicker to refuse it, for other reasons.
    refuseServices(
      em as EntityManager,
      changed.map(({ entity }) => ({ ofAdmin: isOfAdmin(entity) })),
    );
    this.#pending.set(
      uow,
      changed.map(({ type, entity }) => follow(type, entity)),
    );
  }

  async afterFlush(args: FlushEventArgs): Promise<void> {
    const em = args.em as EntityManager;
    const pending = this.#pending.get(args.uow);
    if (pending === undefined) return;
    this.#pending.delete(args.uow);
    const erases = this.#eraseAtOnce || authorOf(em).erases;
    const drafts = pending
      .map((complete) => complete())
      .map((draft) => (erases && draft.action === 'deleted' ? erased(draft) : draft));
    await recordChanges(em, drafts);
    await eraseHistory(
      em,
      drafts.filter((draft) => draft.erased).map(({ userId }) => userId),
    );
  }
}

function follow(type: ChangeSetType, entity: User): Pending {
  const ofAdmin = isOfAdmin(entity);
  if (type === ChangeSetType.CREATE) {
    return () => ({ ...creation(stateOf(entity)), userId: entity.id, version: entity.version, ofAdmin });
  }
  const loaded = asLoaded(entity);
  if (type === ChangeSetType.DELETE) {
    const { id, version, createdAt } = entity;
    const before = { ...stateOf(loaded), createdAt: createdAt.toISOString() };
    return () => ({ ...deletion(before), userId: id, version: version + 1, ofAdmin });
  }
  const found = difference(stateOf(loaded), stateOf(entity));
  if (found === undefined) throw new Error('An account has changed in nothing that its history knows of.');
  return () => ({ ...found, userId: entity.id, version: entity.version, ofAdmin });
}

function isOfAdmin(entity: User): boolean {
  const before = wrap(entity, true).__originalEntityData as Partial<User> | undefined;
  return entity.role === 'admin' || before?.role === 'admin';
}

/** The account as it came from the database; the ORM keeps JSON as text to compare it. */
function asLoaded(entity: User): User {
  const { preferences, ...rest } = wrap(entity, true).__originalEntityData as User;
  return {
    ...rest,
    preferences: typeof preferences === 'string' ? JSON.parse(preferences) : preferences,
  } as User;
}
