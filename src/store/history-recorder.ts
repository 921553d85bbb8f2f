import { type ChangeSet, ChangeSetType, type EventSubscriber, type FlushEventArgs } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { ChangeDraft } from '../domain/change.ts';
import type { User } from '../domain/user.ts';
import { accountChangeSets, differenceOf, isOfAdmin } from './account-change-sets.ts';
import { protectAdmins } from './admin-protection.ts';
import { recordAndErase } from './change-log.ts';
import { requireReason } from './reason-check.ts';
import { unitOf } from './unit.ts';

/** Completes a draft once its change set has been written: only then are id and version known. */
type Complete = () => ChangeDraft;

/**
 * Records every change of an account in the transaction of the flush that writes it: what commits is recorded, what rolls
 * back is not. A deletion that erases does so in the same transaction.
 */
export class HistoryRecorder implements EventSubscriber {
  readonly #pending = new WeakMap<object, Complete[]>();

  onFlush({ em, uow }: FlushEventArgs): void {
    const changeSets = accountChangeSets(uow);
    if (changeSets.length === 0) return;
    const unit = unitOf(em as EntityManager);
    // Without a transaction around it, the flush would be committed before its history is written.
    if (!em.isInTransaction()) throw new Error('A unit of work must open its transaction before it flushes.');
    // Before the other subscribers, which would refuse for other reasons.
    const about = changeSets.map(({ entity }) => ({ userId: entity.id, ofAdmin: isOfAdmin(entity) }));
    protectAdmins(unit, about);
    requireReason(unit, about);
    this.#pending.set(uow, changeSets.map(follow));
  }

  async afterFlush(args: FlushEventArgs): Promise<void> {
    const pending = this.#pending.get(args.uow);
    if (pending === undefined) return;
    this.#pending.delete(args.uow);
    await recordAndErase(
      unitOf(args.em as EntityManager),
      pending.map((complete) => complete()),
    );
  }
}

function follow(changeSet: ChangeSet<User>): Complete {
  const { type, entity } = changeSet;
  const ofAdmin = isOfAdmin(entity);
  // The database gives a new account some of its values.
  if (type === ChangeSetType.CREATE) {
    return () => ({ ...differenceOf(changeSet), userId: entity.id, version: entity.version, ofAdmin });
  }
  const found = differenceOf(changeSet);
  const { id, version } = entity;
  if (type === ChangeSetType.DELETE) return () => ({ ...found, userId: id, version: version + 1, ofAdmin });
  return () => ({ ...found, userId: id, version: entity.version, ofAdmin });
}
