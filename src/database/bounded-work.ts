import { setTimeout as delay } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from './connection.ts';
import { isSlow } from './driver-errors.ts';
import { BLOCKERS, type Blocker, busySessions, heldBy, LockMissed, watchLocks } from './lock-watch.ts';

/** Where work runs, and until when. */
export interface Bounds {
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  /** Milliseconds of the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** How long after the deadline work is ended, in milliseconds: what ends by itself there says why. */
const MARGIN_MS = 500;

/** How long asking for blockers and ending sessions may take, in milliseconds. */
const ENDING_MS = 1_000;

/** Work that had not ended at its deadline. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
  /** The sessions that hold the locks which the work waited for. */
  readonly blockers: readonly string[];

  constructor(blockers: readonly string[]) {
    super(blockers.length > 0 ? heldBy(blockers) : 'A statement was still running.');
    this.blockers = blockers;
  }
}

/**
 * Runs work that uses the connections of `orm` until the deadline passes or the signal aborts. Then its sessions are ended, whatever
 * they wait for. `work` gets a signal that says so. Throws what it throws, with a {@link LockMissed} around it where a statement has
 * waited for a lock for as long as it may, {@link DeadlinePassed}, and the signal's reason.
 */
export async function bounded<T>(
  orm: MikroORM,
  { database, mode, deadline, signal }: Bounds,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const busy = await busySessions(orm);
  const watch = await watchLocks(orm, { database, mode });
  const ending = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => undefined);
  const end = async (reasonOf: (blockers: readonly string[]) => unknown) => {
    ending.abort(signal.reason);
    const sessions = busy.all();
    const blockers =
      mode === 'direct' && sessions.length > 0
        ? await endSessions(
            database,
            sessions.map(({ processID }) => processID),
          )
        : [];
    for (const { connection } of sessions) connection.stream.destroy();
    reject(reasonOf(blockers));
  };
  const onAbort = () => end(() => signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => end((blockers) => new DeadlinePassed(blockers)),
    Math.max(0, deadline - Date.now()) + MARGIN_MS,
  );
  const result = work(ending.signal).catch((error) => {
    // Once it is ending, its own error is that of a lost connection.
    if (ending.signal.aborted) return ended;
    const blockers = watch.blockers();
    throw isSlow(error) && blockers.length > 0 ? new LockMissed(error, blockers) : error;
  });
  try {
    return await Promise.race([result, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    busy.stop();
    void watch.stop();
  }
}

/**
 * Ends sessions from another one, and returns who holds the locks that they wait for. A server may notice only with the next
 * answer that a client is gone, and a lock that is asked for makes others wait too.
 */
async function endSessions(database: DatabaseSettings, pids: readonly number[]): Promise<readonly string[]> {
  const limits = { ...database, connectTimeoutMs: ENDING_MS, statementTimeoutMs: ENDING_MS };
  const client = clientOf(limits, 'direct');
  const ask = async () => {
    await client.connect();
    const { rows } = await client.query<Blocker>(BLOCKERS, [pids]);
    await client.query('select pg_terminate_backend(pid) from unnest($1::int[]) as own (pid)', [pids]);
    return rows.map(({ name }) => name);
  };
  try {
    return await Promise.race([ask(), delay(ENDING_MS, [], { ref: false })]);
  } catch {
    return [];
  } finally {
    void endClient(client, limits);
  }
}
