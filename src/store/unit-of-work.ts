import { LockMode, OptimisticLockError } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pRetry from 'p-retry';
import { hasLostRace } from '../database/driver-errors.ts';
import { type Author, sign } from '../domain/author.ts';
import type { Unit, UnitOfWork, UnitOptions } from './unit.ts';

/** How often a unit of work is begun at the most. */
const MAX_ATTEMPTS = 6;

/**
 * The way in which everything is done here: in a fork of the EntityManager that nobody else sees, flushed once, in one
 * transaction that is open before the subscribers of the flush run, so that what they read and lock is part of it.
 * Work that throws leaves no trace. With an `author`, each is signed by them; else those who do the work sign it.
 *
 * A unit that loses a race (to another version of a row, to a deadlock, to a serialization failure) is done again from
 * the start in a fresh fork, so the work must not have effects of its own outside of the unit; work that cannot be done
 * again (it reads a stream) says so and takes the error.
 */
export function unitsOfWork(orm: MikroORM, author?: Author): UnitOfWork {
  return (work, options = {}) => {
    let attempt = 0;
    const signed = (unit: Unit) => {
      if (author !== undefined) sign(unit.em, author);
      return work(unit);
    };
    return pRetry(() => once(orm, signed, options, ++attempt > 1), {
      retries: MAX_ATTEMPTS - 1,
      minTimeout: 5,
      maxTimeout: 100,
      randomize: true,
      shouldRetry: ({ error }) => options.replays !== false && hasLostRace(error),
    });
  };
}

async function once<T>(
  orm: MikroORM,
  work: (unit: Unit) => Promise<T>,
  { readOnly = false }: UnitOptions,
  replay: boolean,
): Promise<T> {
  const em = orm.em.fork();
  const claim = async (entity: object) => {
    if (!replay) return;
    if (!em.isInTransaction()) await em.begin();
    const found = await em.refresh(entity, { lockMode: LockMode.PESSIMISTIC_WRITE });
    // Gone since it was read: no flush would write what is changed in it now.
    if (found === null) throw OptimisticLockError.lockFailed(entity);
  };
  let isRehearsal = false;
  const rehearse = () => {
    isRehearsal = true;
  };
  try {
    const result = await work({ em, claim, rehearse });
    const unit = em.getUnitOfWork();
    unit.computeChangeSets();
    const changed = unit.getChangeSets().length > 0;
    if (changed && readOnly) throw new Error('What promised to read tried to change something.');
    if (changed && !em.isInTransaction()) await em.begin();
    if (em.isInTransaction()) await (isRehearsal ? flushAndTakeBack(em) : em.commit());
    return result;
  } catch (error) {
    // A rollback that fails means that the connection is gone, and with it the transaction.
    if (em.isInTransaction()) await em.rollback().catch(() => undefined);
    throw error;
  }
}

async function flushAndTakeBack(em: EntityManager): Promise<void> {
  await em.flush();
  await em.rollback();
}
