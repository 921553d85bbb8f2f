import { IsolationLevel, LockMode, OptimisticLockError } from '@mikro-orm/core';
import { EntityManager } from '@mikro-orm/postgresql';
import type { Author } from '../domain/author.ts';
import type { AccountValues, Change } from '../domain/change.ts';
import type { Right } from '../domain/right.ts';
import { User } from '../domain/user.ts';
import type { AdminsTouched } from './admins-touched.ts';
import type { AnswerToKeep, KeptAnswer, KeyedRequest } from './kept-answer.ts';
import { findAnswer, reserveKey } from './kept-answers.ts';
import type { Leave, LockConnections } from './lock-connections.ts';
import type { LogEnd } from './log-end.ts';

/** How many recorded changes a unit of work remembers: an import has no limit, and an answer needs one. */
const MAX_RECORDED = 1_000;

/** The EntityManager of the whole application. In a unit of work it knows the unit: flush subscribers reach nothing else. */
export class UnitEntityManager extends EntityManager {
  unit?: Unit;
}

/** A unit of work: its EntityManager, its author, and its orders. */
export class Unit {
  /** The unit's own. Only the unit flushes it. */
  readonly em: EntityManager;
  /** Whether the accounts that it deletes are erased at once, so that nothing can restore them. */
  erases: boolean;
  /** Whether everything, guards and history included, is done and then rolled back. */
  dryRun = false;
  /** Why its author makes its changes; the history keeps it. */
  reason: string | null = null;
  /** How many of its changes it remembers beside those of a dry run: those that its answer shows. */
  shows = 0;
  /**
   * Called with the bytes that the unit is about to add to the history and the kept answers, before its transaction; throws to
   * refuse them. `null` where there is no limit.
   */
  spendHistory: ((bytes: number) => Promise<void>) | null = null;
  /** What its author must still be allowed when it commits; `null` where nobody can lose it, as on the command line. */
  right: Right | null = null;
  /**
   * Of the author's own account, the values before this unit changed them past the flush; `null` where this unit created it.
   * The check of the right must not take what the unit itself has written for what was there.
   */
  ownValuesBefore: Partial<AccountValues> | null = {};
  /** The admins that it has changed, to warn where INITIAL_ADMINS names one of them. */
  readonly adminsTouched: AdminsTouched = {
    ids: new Set(),
    emails: new Set(),
    made: new Set(),
  };
  /** The answer that its transaction keeps for a caller that asks again under the same key; `null` without a key. */
  keeps: AnswerToKeep | null = null;
  /** The account that it has changed; `null` where there is none or more than one. */
  changedAccount: number | null = null;
  /** Whether what its author does to accounts other than their own needs a {@link reason}. */
  readonly requiresReason: boolean;
  /** How long its statements wait for a lock, in milliseconds, 0 as long as they may take; `null` as long as the session says. */
  readonly lockTimeoutMs: number | null;
  /** What its locks are about, such as an account. */
  subject: string | undefined;
  /** Whether its statements wait for locks as {@link lockTimeoutMs} says: before, those that read wait as long as the session says. */
  limitsLocks = false;
  /** Whether it has written to the history: its commit is then announced. */
  hasRecorded = false;
  /** Where the log of the database was after its commit, where its statement has asked. */
  logEnd: LogEnd | undefined;
  readonly #recorded: Change[] = [];
  readonly #isReplay: boolean;
  readonly #connections: LockConnections | undefined;
  readonly #isLong: boolean;
  #leave: Leave | undefined;
  #author: Author | undefined;

  constructor(
    em: EntityManager,
    {
      author,
      isReplay = false,
      erases = false,
      requiresReason = false,
      lockTimeoutMs = null,
      connections,
      isLong = false,
    }: {
      author?: Author | undefined;
      isReplay?: boolean;
      erases?: boolean;
      requiresReason?: boolean;
      lockTimeoutMs?: number | null;
      /** Where its writes take their connections. Default: the pool has one for each. */
      connections?: LockConnections | undefined;
      /** Whether it keeps its connection for long, and so takes none of those that writes share. */
      isLong?: boolean;
    } = {},
  ) {
    this.em = em;
    this.#author = author;
    this.#isReplay = isReplay;
    this.erases = erases;
    this.requiresReason = requiresReason;
    this.lockTimeoutMs = lockTimeoutMs;
    this.#connections = connections;
    this.#isLong = isLong;
    (em as UnitEntityManager).unit = this;
  }

  /** Who signs its changes. Throws where nobody has signed: an unsigned change is not written. */
  get author(): Author {
    if (this.#author === undefined) throw new Error('This unit of work has no author.');
    return this.#author;
  }

  /** Set it before anything is changed. */
  set author(author: Author) {
    this.#author = author;
  }

  /** The changes recorded so far, before the commit: in a dry run the first {@link MAX_RECORDED}, else as many as {@link shows}. */
  get recorded(): readonly Change[] {
    return this.#recorded;
  }

  /** Whether another recorded change should be remembered. */
  get remembers(): boolean {
    return this.#recorded.length < (this.dryRun ? MAX_RECORDED : this.shows);
  }

  /** Remembers a change that was recorded in this unit. */
  remember(change: Change): void {
    this.#recorded.push(change);
  }

  /** The answer that is kept of a request. Throws what {@link findAnswer} throws. */
  answerTo(request: KeyedRequest): Promise<KeptAnswer | undefined> {
    return findAnswer(this.em, request);
  }

  /**
   * Call it for an entity before it is changed. In a first attempt it does nothing, and a lost race shows in the version at
   * the flush. In a replay it locks the row and reads it again, so that the unit cannot lose a second time.
   * Throws `OptimisticLockError` where the row is gone.
   */
  async claim(entity: object): Promise<void> {
    this.subject = subjectOf(entity);
    if (!this.#isReplay) return;
    await this.begin();
    const found = await this.em.refresh(entity, { lockMode: LockMode.PESSIMISTIC_WRITE });
    // No flush would write what is changed in it now.
    if (found === null) throw OptimisticLockError.lockFailed(entity);
  }

  /**
   * Opens the unit's transaction, unless it is open: it ends with the unit. Throws `request_in_progress` where another one works
   * under the same key.
   */
  async begin(): Promise<void> {
    if (this.em.isInTransaction()) return;
    this.#leave = this.#isLong ? this.occupyConnection() : await this.#connections?.take(this.#isReplay);
    await this.em.begin({ isolationLevel: IsolationLevel.READ_COMMITTED });
    // The connection sends it with the beginning.
    this.limitsLocks = true;
    if (this.lockTimeoutMs !== null) await this.em.execute(`set local lock_timeout = ${this.lockTimeoutMs}`);
    if (this.keeps !== null) await reserveKey(this.em, this.keeps);
  }

  /** Runs a statement that is a transaction of its own and may meet a lock. */
  async runAlone<T>(statement: () => Promise<T>): Promise<T> {
    // A unit that has one would wait for itself.
    const leave = this.#leave ? undefined : await this.#connections?.take(this.#isReplay);
    return statement().then(
      (result) => {
        leave?.();
        return result;
      },
      (error) => {
        leave?.(error);
        throw error;
      },
    );
  }

  /** Counts a connection that the unit's work keeps for long; call what it returns once the connection is given back. */
  occupyConnection(): Leave | undefined {
    return this.#connections?.occupy();
  }

  /** Rolls back what is open, and lets others have the connection; `error` is what the unit has failed with. */
  async end(error?: unknown): Promise<void> {
    // A rollback that fails means that the connection is gone, and the transaction with it.
    if (this.em.isInTransaction()) await this.em.rollback().catch(() => undefined);
    this.#leave?.(error);
    this.#leave = undefined;
  }
}

/** The subject of a unit that changes this entity, or an account with this id. */
export function subjectOf(entity: object | number): string {
  if (typeof entity === 'number') return `${User.name} ${entity}`;
  const { id, email } = entity as { id?: unknown; email?: unknown };
  return `${entity.constructor.name} ${id ?? email}`;
}

/** The unit of work of an EntityManager. Throws where there is none: accounts change in units of work only. */
export function unitOf(em: EntityManager): Unit {
  const { unit } = em as UnitEntityManager;
  if (unit === undefined) throw new Error('Accounts change in units of work only.');
  return unit;
}

/** Options of a unit of work. */
export interface UnitOptions {
  /** It must end with nothing to flush; a unit that changed something fails. */
  readonly readOnly?: boolean;
  /** Whether it may start again after a lost race: yes, unless `false`, as work that reads a stream must say. */
  readonly replays?: boolean;
  /** Whether its statements wait for locks as long as they may take, as work must that is long to repeat. Default: no. */
  readonly waitsForLocks?: boolean;
  /**
   * Whether no request waits for it: it takes no place in their queue, and waits for a lock for two seconds. What it has written holds
   * up the change feed meanwhile, and stopping the process waits for the statement to end; what is locked now is due next time too.
   */
  readonly isInBackground?: boolean;
  /** Whether it runs inside of another unit, which may be the one that others wait for. */
  readonly isNested?: boolean;
}

/** Runs work as one unit: all of it is committed when the promise resolves, and none of it when it rejects. */
export type UnitOfWork = <T>(work: (unit: Unit) => Promise<T>, options?: UnitOptions) => Promise<T>;
