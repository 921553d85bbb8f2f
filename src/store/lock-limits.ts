import type { DatabaseSettings } from '../database/connection.ts';

/** How long units of work wait for locks, and how many of them at once, in one process. Times are in milliseconds. */
export interface LockLimits {
  /** How long the first attempt of a unit waits for a lock: longer than a commit, and no longer. */
  readonly brieflyMs: number;
  /** How long a unit waits that has a place in the queue. */
  readonly patientlyMs: number;
  /** On how many connections writes may wait for locks, less those that long work occupies: the others are for reads. */
  readonly connections: number;
  /** How long a write waits for one of them, as it waits for one of the pool. */
  readonly connectMs: number;
  /** How many units have a place at the same time, at most: each takes one of these connections. */
  readonly places: number;
  /** How long a unit has had its place when those behind it no longer count on it. */
  readonly stuckMs: number;
  /** How many units wait that are stuck: each is a request in flight, of which others need the place. */
  readonly stuck: number;
  /** How many of them wait where none that has a place gets on, and how many more for a connection. */
  readonly allStuck: number;
  /** How long a unit waits for a place while those before it go on, but slowly. */
  readonly queuedMs: number;
  /** How long a unit must have waited to be refused with the one before it. */
  readonly sharedMs: number;
  /** How long a lock that was not available sends units into the queue without an attempt of their own. */
  readonly rememberedMs: number;
}

/**
 * The limits for requests: no statement takes as long as one that waits for a lock may, a quarter of the connections is for reads,
 * another one for writes that have met no lock yet, and most of the requests in flight are for both.
 */
export function lockLimits({
  poolMax,
  connectTimeoutMs,
  statementTimeoutMs,
}: Pick<DatabaseSettings, 'poolMax' | 'connectTimeoutMs' | 'statementTimeoutMs'>): LockLimits {
  // Before the statement ends, which would look like an outage.
  const patientlyMs = Math.min(1_500, Math.ceil(statementTimeoutMs / 2));
  const places = Math.max(1, Math.floor(poolMax / 2));
  // With few places, four rounds of waiting.
  const stuck = Math.min(16, 4 * places);
  return {
    brieflyMs: Math.min(50, patientlyMs),
    patientlyMs,
    // Two at least: a single one would make all writes wait for the one that has a place.
    connections: Math.max(2, poolMax - Math.max(1, Math.floor(poolMax / 4))),
    connectMs: connectTimeoutMs,
    places,
    // A request waits for its turn half a second at most.
    stuckMs: 400,
    stuck,
    allStuck: stuck / 2,
    queuedMs: 15_000,
    sharedMs: 500,
    rememberedMs: 5_000,
  };
}
