import type { MikroORM } from '@mikro-orm/postgresql';
import type { QueryConfig } from 'pg';
import type { Logger } from 'pino';
import { type RateLimiterAbstract, RateLimiterPostgres } from 'rate-limiter-flexible';
import { BoundedMemory } from './rate-limit-memory.ts';
import { poolOf } from './statements.ts';

/** The rate limits: the most in a window (0: no limit), and where they are counted. */
export interface RateLimitSettings {
  /** Failed authentications from one client address. */
  readonly failures: number;
  /** Requests of one account. */
  readonly requests: number;
  /** Bytes of history that one account writes in 60 windows: an hour. */
  readonly historyBytes: number;
  /** In each process, or shared by all. */
  readonly store: 'memory' | 'database';
  /** The length of a window, in seconds. Default: a minute. */
  readonly windowSeconds?: number;
}

/** The limits; count with `penalty`. */
export interface RateLimits {
  /** Of failed authentications, by client address. */
  readonly failures: RateLimiterAbstract | undefined;
  /** Of requests, by account. */
  readonly requests: RateLimiterAbstract | undefined;
  /** Of history, in KiB, by account. */
  readonly history: RateLimiterAbstract | undefined;
}

/**
 * Creates the limits. In the database, a count is one statement on the ORM's pool; while that fails, each process counts in
 * memory, so that a limit never fails a request, and the log says so once. Expired counts are deleted an hour later.
 */
export async function rateLimits(
  { failures, requests, historyBytes, store, windowSeconds = 60 }: RateLimitSettings,
  orm: MikroORM,
  log: Logger,
): Promise<RateLimits> {
  const storeClient = store === 'database' ? await clientOf(orm, log) : undefined;
  const limit = (keyPrefix: string, points: number, duration = windowSeconds) => {
    if (points === 0) return undefined;
    const options = { keyPrefix, points, duration };
    const memory = new BoundedMemory(options);
    if (storeClient === undefined) return memory;
    return new RateLimiterPostgres({
      ...options,
      storeClient,
      storeType: 'pool',
      tableName: 'rate_limits',
      // By a migration.
      tableCreated: true,
      insuranceLimiter: memory,
    });
  };
  return {
    failures: limit('failures', failures),
    requests: limit('requests', requests),
    // In KiB, because a count in the database has 31 bits.
    history: limit('history', Math.ceil(historyBytes / 1024), 60 * windowSeconds),
  };
}

/** The pool, as the limiters use it; it logs when it begins to fail and when it recovers. */
async function clientOf(orm: MikroORM, log: Logger) {
  const pool = await poolOf(orm.em);
  let failing = false;
  return {
    async query(statement: QueryConfig) {
      try {
        const result = await pool.query(statement);
        if (failing) log.info('rate limits counted in the database again');
        failing = false;
        return result;
      } catch (error) {
        if (!failing) {
          log.warn(
            { reason: (error as Error).message },
            'rate limits cannot be counted in the database; counting in memory; if this lasts, check the database',
          );
        }
        failing = true;
        throw error;
      }
    },
  };
}
