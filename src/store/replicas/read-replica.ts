import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { isPoolCrowded } from '../statements.ts';
import { type Fault, faultOf, type ReplicaState, STATE, silenceOf } from './fault.ts';
import { closeReplica, type OpenReplica, openReplica, type ReplicaOptions } from './open-replica.ts';
import { hasReplayed, type PrimaryLog } from './primary-log.ts';

/** For how long an answer counts, in milliseconds. */
export const CHECKED_MS = 5_000;

/** How long to wait between two questions to a replica that is to catch up, in milliseconds. */
const POLL_MS = 5;

/** For how long a check waits until a replica has what the primary has, in milliseconds: less than what lies between two checks. */
const FOLLOW_MS = 800;

/** The replica was left out while it was read. */
export class ReplicaLost extends Error {
  override readonly name = 'ReplicaLost';
  /** SQLSTATE of a connection that was lost. */
  readonly code = '08006';
}

/** A read replica of the database: a streaming standby, with a pool of its own. It is opened by the first check that reaches it. */
export class ReadReplica {
  /** Its place in the setting, from 1: its name for people, because its URL has a password. */
  readonly number: number;
  readonly #options: ReplicaOptions;
  #opened: OpenReplica | undefined;
  #fault: Fault | undefined = { kind: 'gone', reason: 'not asked yet' };
  #lagMs: number | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #isChecking = false;
  #replayed = 0n;
  #epoch: string | null = null;
  #looking: Promise<ReplicaState> | undefined;
  #isClosed = false;
  /** Ends each read that is running. */
  readonly #reads = new Set<(error: ReplicaLost) => void>();

  constructor(number: number, options: ReplicaOptions) {
    this.number = number;
    this.#options = options;
  }

  /** What is wrong with it, as far as its last check tells. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** How far it lagged at its last check, in milliseconds; `undefined` where it has not answered. */
  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  /** Whether it may be read from. */
  get isUsed(): boolean {
    return this.#fault === undefined && performance.now() - this.#checkedAt < CHECKED_MS;
  }

  /** Whether reads wait for a connection to it. */
  get isCrowded(): boolean {
    return this.#opened !== undefined && isPoolCrowded(this.#opened.pool);
  }

  /** The epoch that it is in: positions of its log count in no other. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Whether it has everything that was committed before this position of the log. */
  has(lsn: bigint): boolean {
    return hasReplayed(this.#replayed, lsn);
  }

  /** Whether it has everything that was committed before this moment of the primary's clock. */
  hasMoment(moment: Date, primary: PrimaryLog): boolean {
    const newest = primary.newestIn(this.#replayed);
    return newest !== undefined && moment < newest.at;
  }

  /** Waits until it has everything up to this position, at most `ms` milliseconds. Returns whether it has. */
  async catchesUp(lsn: bigint, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!this.has(lsn)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || !this.isUsed) return false;
      const wait = (time: number) => delay(time, undefined, { ref: false });
      const looked = this.#look().then(
        () => wait(POLL_MS),
        () => wait(leftMs),
      );
      await Promise.race([looked, wait(leftMs)]);
    }
    return true;
  }

  /** Checks whether it may be read from, unless another check runs: returns whether it has. Never throws. */
  async check(primary: PrimaryLog): Promise<boolean> {
    if (this.#isChecking) return false;
    this.#isChecking = true;
    try {
      const state = await this.#lookUntil(primary);
      const lagMs = primary.lagMs(this.#replayed);
      this.#lagMs = state.isStandby ? lagMs : undefined;
      this.#fault = faultOf(state, primary, { lagMs, maxLagMs: this.#options.maxLagMs });
    } catch (error) {
      this.#lagMs = undefined;
      this.#fault = silenceOf(error);
    } finally {
      this.#checkedAt = performance.now();
      this.#isChecking = false;
    }
    if (this.#fault !== undefined && this.#fault.kind !== 'late')
      for (const end of this.#reads) end(new ReplicaLost('The read replica was left out.'));
    return true;
  }

  /** Leaves it out until its next check: reading from it has failed. */
  suspect(error: Error): void {
    this.#fault = silenceOf(error);
  }

  /** Reads from it. Throws what `work` throws, and {@link ReplicaLost} once a check finds that it is gone. */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    if (this.#opened === undefined) throw new ReplicaLost('The read replica is not open.');
    const { promise: lost, reject } = Promise.withResolvers<never>();
    this.#reads.add(reject);
    try {
      return await Promise.race([work(this.#opened.orm.em.fork()), lost]);
    } finally {
      this.#reads.delete(reject);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#opened !== undefined) await closeReplica(this.#opened);
  }

  /**
   * Asks it for its state until it has the newest position of the primary that is known, for a while: a primary that is written to is
   * always a few milliseconds ahead, and the position before is a second old.
   */
  async #lookUntil({ end, seen }: PrimaryLog): Promise<ReplicaState> {
    const began = performance.now();
    for (;;) {
      const state = await this.#look();
      const sinceMs = performance.now() - began;
      const isFollower = state.isStandby && state.system === seen?.system;
      if (!isFollower || end === undefined || this.has(end) || sinceMs > FOLLOW_MS) return state;
      await delay(Math.max(POLL_MS, sinceMs / 4), undefined, { ref: false });
    }
  }

  /** Asks it for its state, once for all who want to know at the same time. */
  #look(): Promise<ReplicaState> {
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #ask(): Promise<ReplicaState> {
    const { side } = await this.#open();
    const [state] = await side.ask<ReplicaState>({ text: STATE, values: [] });
    if (state === undefined) throw new ReplicaLost('The read replica has not answered.');
    this.#replayed = BigInt(state.lsn ?? 0);
    this.#epoch = state.epoch;
    return state;
  }

  async #open(): Promise<OpenReplica> {
    if (this.#isClosed) throw closed();
    if (this.#opened !== undefined) return this.#opened;
    const opened = await openReplica(this.number, this.#options);
    if (this.#isClosed) {
      await closeReplica(opened);
      throw closed();
    }
    this.#opened = opened;
    return opened;
  }
}

const closed = () => new ReplicaLost('The read replica is closed.');
