import { ChangeSetType, type EventSubscriber, type FlushEventArgs } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type ChangeDraft, creation, deletion, difference, erased, stateOf } from '../domain/change.ts';
import { isAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, originalOf } from './account-change-sets.ts';
import { protectAdmins } from './admin-protection.ts';
import { recordChanges } from './change-log.ts';
import { eraseHistory } from './erase-history.ts';
import { unitOf } from './unit.ts';

/** Completes a draft once its change set has been written: only then are id and version known. */
type Complete = () => ChangeDraft;

/**
 * Records every change of an account in the transaction of the flush that writes it: what commits is recorded, what rolls
 * back is not. A deletion that erases does so in the same transaction.
 */
export class HistoryRecorder implements EventSubscriber {
  readonly #pending = new WeakMap<object, Complete[]>();
  readonly #eraseAtOnce: boolean;

  /** With `eraseAtOnce`, every deletion erases, whoever makes it. */
  constructor({ eraseAtOnce }: { eraseAtOnce: boolean }) {
    this.#eraseAtOnce = eraseAtOnce;
  }

  onFlush({ em, uow }: FlushEventArgs): void {
    const changeSets = accountChangeSets(uow);
    if (changeSets.length === 0) return;
    const unit = unitOf(em as EntityManager);
    // Without a transaction around it, the flush would be committed before its history is written.
    if (!em.isInTransaction()) throw new Error('A unit of work must open its transaction before it flushes.');
    // Before the other subscribers, which would refuse for other reasons.
    protectAdmins(
      unit,
      changeSets.map(({ entity }) => ({ ofAdmin: isOfAdmin(entity) })),
    );
    this.#pending.set(
      uow,
      changeSets.map(({ type, entity }) => follow(type, entity)),
    );
  }

  async afterFlush(args: FlushEventArgs): Promise<void> {
    const pending = this.#pending.get(args.uow);
    if (pending === undefined) return;
    this.#pending.delete(args.uow);
    const unit = unitOf(args.em as EntityManager);
    const erases = this.#eraseAtOnce || unit.erases;
    const drafts = pending
      .map((complete) => complete())
      .map((draft) => (erases && draft.action === 'deleted' ? erased(draft) : draft));
    await recordChanges(unit, drafts);
    await eraseHistory(
      unit.em,
      drafts.filter((draft) => draft.erased).map(({ userId }) => userId),
    );
  }
}

function follow(type: ChangeSetType, entity: User): Complete {
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
  if (found === undefined) throw new Error('An account changed in nothing that the history records.');
  return () => ({ ...found, userId: entity.id, version: entity.version, ofAdmin });
}

function isOfAdmin(entity: User): boolean {
  return isAdmin(entity) || isAdmin(originalOf(entity) ?? {});
}

/** The account as it came from the database; the ORM keeps its JSON as text to compare it. */
function asLoaded(entity: User): User {
  const { preferences, ...rest } = originalOf(entity) as User;
  return {
    ...rest,
    preferences: typeof preferences === 'string' ? JSON.parse(preferences) : preferences,
  } as User;
}
