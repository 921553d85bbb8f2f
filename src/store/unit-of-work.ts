import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pRetry from 'p-retry';
import type { ConnectionMode } from '../database/connection.ts';
import { hasLostRace, isLockTimeout, isUnavailable } from '../database/driver-errors.ts';
import type { Author } from '../domain/author.ts';
import { type InSpan, spans } from '../tracing/tracing.ts';
import { historySize } from './history-size.ts';
import { keepAnswer, keptSize, requireNotCarriedOut } from './kept-answers.ts';
import type { LockLimits } from './lock-limits.ts';
import { Contended, LockQueue } from './lock-queue.ts';
import {
  actsBySession,
  checkRight,
  endsOwnSession,
  isCheckedByFlush,
  requireSession,
} from './right-check.ts';
import { runInTransaction } from './statements.ts';
import { subjectOf, Unit, type UnitOfWork, type UnitOptions } from './unit.ts';
import { singleWrite, writerAtOnce } from './write-at-once.ts';

/** The replays of a unit of work that has lost a race, in milliseconds: the first at once, because it locks what it reads. */
const RETRIES = { retries: 4, minTimeout: 5, maxTimeout: 100, randomize: true };

/** How long a unit in the background waits for a lock, in milliseconds. */
const IN_BACKGROUND_MS = 2_000;

/** What the units of work of a runner have in common. */
export interface UnitsOptions {
  /** How the database is reached, by default directly. Behind a pooler, every write is a transaction of several statements. */
  readonly mode?: ConnectionMode;
  /** Whether every deletion erases the account's history, whoever makes it. */
  readonly erasesAtOnce?: boolean;
  /** Whether what people do to accounts other than their own needs a reason. */
  readonly requiresReason?: boolean;
  /** How long units wait for locks. By default as long as their statements may take. */
  readonly locks?: LockLimits;
  /** Called after the commit of a unit that has written to the history. */
  readonly onRecorded?: () => void;
  /** Runs attempts and flushes, by default as they are. */
  readonly inSpan?: InSpan;
  readonly observer?: UnitObserver | undefined;
  /** Whether units know where the log of the database was after their commit, if it can be asked for without a round trip. */
  readonly notesLog?: boolean;
}

/** How a unit of work was written: in one statement, in a transaction, or in one that was rolled back. */
export const WAYS = ['statement', 'transaction', 'dry_run'] as const;

/** Why a unit of work starts again. */
export const REPLAY_REASONS = ['race', 'lock'] as const;

/** Told of the units of work of a runner. */
export interface UnitObserver {
  /** A unit has been written. */
  onFlush(way: (typeof WAYS)[number]): void;
  /** A unit has lost a race or met a lock, and starts again. */
  onReplay(reason: (typeof REPLAY_REASONS)[number]): void;
}

/**
 * Creates the runner of units of work. Each unit is a fork of the EntityManager that nobody else sees, flushed once, in one
 * transaction that is open before the flush subscribers run, so that what they read and lock is part of it. Work that
 * throws leaves no trace. With an `author`, every unit is signed by it; without, the work signs the unit. A unit that may
 * write ends with a check of its author's right: rights that were good when the request came may be gone when it commits.
 *
 * A unit that loses a race (a version conflict, a deadlock, a serialization failure) runs again from the start in a fresh
 * fork, so work must have no effects outside of the unit. Work that cannot run twice, because it reads a stream, says so
 * and gets the error.
 *
 * With limits of `locks`, a unit that meets a lock gives its connection back and runs again too, once it has a place in the
 * queue of those that wait; so does one that has lost a race.
 */
export function unitsOfWork(
  orm: MikroORM,
  author?: Author,
  {
    mode = 'direct',
    erasesAtOnce = false,
    requiresReason = false,
    locks,
    onRecorded,
    inSpan = spans(undefined),
    observer,
    notesLog = false,
  }: UnitsOptions = {},
): UnitOfWork {
  const queue = locks && new LockQueue(locks);
  const how = { mode, onRecorded, inSpan, observer, writeAtOnce: writerAtOnce(orm, { notesLog }) };
  return (work, options = {}) => {
    const { replays = true, readOnly = false, isNested = false, isInBackground = false } = options;
    const { waitsForLocks = !replays } = options;
    const isLong = readOnly || waitsForLocks || isInBackground;
    const isQueued = queue !== undefined && !isLong && !isNested;
    const lockTimeoutOf = (isReplay: boolean) => {
      if (isInBackground) return IN_BACKGROUND_MS;
      if (locks === undefined) return null;
      if (waitsForLocks) return 0;
      return isQueued && !isReplay ? locks.brieflyMs : locks.patientlyMs;
    };
    const unitFor = (isReplay: boolean) =>
      new Unit(orm.em.fork(), {
        author,
        isReplay,
        erases: erasesAtOnce,
        requiresReason,
        lockTimeoutMs: lockTimeoutOf(isReplay),
        connections: queue?.connections,
        // Reads take no locks, and the number of those that wait for them is limited elsewhere.
        isLong,
      });
    const attempt = (unit: Unit, isReplay: boolean, of: How) =>
      inSpan('unit of work', { 'rollcall.unit.is_replay': isReplay }, () => runOnce(unit, work, options, of));
    const again = (reason: (typeof REPLAY_REASONS)[number]) => {
      observer?.onReplay(reason);
      return attempt(unitFor(true), true, how);
    };
    const replay = (reason: (typeof REPLAY_REASONS)[number]) =>
      pRetry((nth) => again(nth === 1 ? reason : 'race'), {
        ...RETRIES,
        shouldRetry: ({ error }) => hasLostRace(error),
      });
    const first = unitFor(false);
    return attempt(first, false, isQueued ? { ...how, queue } : how).catch((error: unknown) => {
      const isWorthIt = hasLostRace(error) || (isQueued && hasMetLock(error, first));
      if (!replays || !isWorthIt) throw error;
      const reason = hasLostRace(error) ? 'race' : 'lock';
      return isQueued ? queue.run(first.subject ?? ANYTHING, () => replay(reason)) : replay(reason);
    });
  };
}

/** The subject of units that have none. */
const ANYTHING = 'anything';

/** Whether a unit has met a lock, and has waited for it for a moment only. */
function hasMetLock(error: unknown, { limitsLocks }: Unit): boolean {
  return error instanceof Contended || (limitsLocks && isLockTimeout(error));
}

/** How a runner runs its units. */
interface How extends Required<Pick<UnitsOptions, 'mode'>> {
  readonly onRecorded: UnitsOptions['onRecorded'];
  readonly inSpan: InSpan;
  readonly observer: UnitsOptions['observer'];
  readonly writeAtOnce: ReturnType<typeof writerAtOnce>;
  /** Where a first attempt looks for others that wait. */
  readonly queue?: LockQueue;
}

async function runOnce<T>(
  unit: Unit,
  work: (unit: Unit) => Promise<T>,
  { readOnly = false }: UnitOptions,
  { mode, onRecorded, inSpan, observer, writeAtOnce, queue }: How,
): Promise<T> {
  const { em } = unit;
  try {
    const result = await work(unit);
    const changes = em.getUnitOfWork();
    changes.computeChangeSets();
    const [changed] = changes.getChangeSets();
    const hasChanged = changed !== undefined;
    if (hasChanged) {
      unit.subject ??= subjectOf(changed.entity);
      if (unit.keeps === null) queue?.check(unit.subject);
    }
    if (hasChanged && readOnly) throw new Error('A read-only unit of work tried to change something.');
    // Before the transaction: whoever counts may need a connection too.
    if (unit.spendHistory !== null && !unit.dryRun) await unit.spendHistory(storedSize(unit, hasChanged));
    // A pooler does not tell the server that the client is gone: a write that waits there would be carried out all the same.
    const single = hasChanged && mode === 'direct' ? singleWrite(unit, changes) : undefined;
    const isChecked = unit.right === null || readOnly || isCheckedByFlush(changes, unit.right);
    const needsSession = !readOnly && actsBySession(unit);
    const endsSession = needsSession && endsOwnSession(unit, changes);
    const flush = async () => {
      if (single !== undefined) return writeAtOnce(unit, single, isChecked);
      if (hasChanged || unit.keeps !== null) await unit.begin();
      if (endsSession) await requireSession(unit);
      if (unit.keeps !== null) {
        // Only now: a request under a key is told first whether the same one runs.
        if (unit.subject !== undefined) queue?.check(unit.subject);
        await em.flush();
        await keepAnswer(unit, unit.keeps);
      }
      if (!isChecked) {
        if (hasChanged) await em.flush();
        await checkRight(unit);
      }
      if (needsSession && !endsSession) {
        if (hasChanged) await em.flush();
        await requireSession(unit, 'for key share');
      }
      if (em.isInTransaction()) {
        if (unit.dryRun) await endDryRun(em);
        else await em.commit();
      }
    };
    if (hasChanged || !isChecked || needsSession || unit.keeps !== null || em.isInTransaction())
      await inSpan('flush', {}, flush);
    if (hasChanged || unit.hasRecorded) observer?.onFlush(wayOf(unit, single !== undefined));
    if (unit.hasRecorded && !unit.dryRun) onRecorded?.();
    return result;
  } catch (error) {
    await unit.end(error);
    if (unit.keeps !== null && !isUnavailable(error)) await requireNotCarriedOut(unit, unit.keeps);
    throw error;
  } finally {
    await unit.end();
  }
}

/** Ends a transaction as a commit would, with the checks of deferred constraints, and rolls it back. */
async function endDryRun(em: EntityManager): Promise<void> {
  await em.flush();
  // One message, which ends the locks: what is left then is a transaction that has none.
  await runInTransaction(em, { text: 'set constraints all immediate; rollback and chain', values: [] });
  await em.rollback();
}

function wayOf({ dryRun }: Unit, isSingle: boolean): (typeof WAYS)[number] {
  if (dryRun) return 'dry_run';
  return isSingle ? 'statement' : 'transaction';
}

/** Roughly the bytes that a unit would add to the history and to the kept answers. */
function storedSize({ em, keeps, reason }: Unit, hasChanged: boolean): number {
  return (hasChanged ? historySize(em.getUnitOfWork(), reason) : 0) + (keeps === null ? 0 : keptSize(keeps));
}
