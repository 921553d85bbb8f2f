import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool, QueryConfig } from 'pg';
import type { Logger } from 'pino';
import { type RateLimiterAbstract, RateLimiterPostgres } from 'rate-limiter-flexible';
import type { ConnectionMode } from '../database/connection.ts';
import { BoundedMemory } from './rate-limit-memory.ts';

/** How much is allowed in one window, 0 for any number; and where it is counted. */
export interface RateLimitSettings {
  /** Failed authentications from one client address. */
  readonly failures: number;
  /** Requests of one account. */
  readonly requests: number;
  /** Each process for itself, or all together. */
  readonly store: 'memory' | 'database';
  /** How long a window is, in seconds; a minute, unless it is said. */
  readonly windowSeconds?: number;
}

/** The limits that there are, each to be counted on by `penalty`. */
export interface RateLimits {
  readonly failures: RateLimiterAbstract | undefined;
  readonly requests: RateLimiterAbstract | undefined;
}

/**
 * Makes the limits. In the database, a count is one statement on the ORM's pool; while that fails, which the log is told
 * once, each process counts for itself, so that a limit never fails a request. What has expired is deleted an hour later.
 */
export async function rateLimits(
  { failures, requests, store, windowSeconds = 60 }: RateLimitSettings,
  orm: MikroORM,
  mode: ConnectionMode,
  log: Logger,
): Promise<RateLimits> {
  const storeClient = store === 'database' ? await clientOf(orm, mode, log) : undefined;
  const limit = (keyPrefix: string, points: number) => {
    if (points === 0) return undefined;
    const options = { keyPrefix, points, duration: windowSeconds };
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
  return { failures: limit('failures', failures), requests: limit('requests', requests) };
}

/** The pool, as the limiters use it; it says when it begins to fail and when that is over. */
async function clientOf(orm: MikroORM, mode: ConnectionMode, log: Logger) {
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  let failing = false;
  return {
    async query({ name, ...statement }: QueryConfig) {
      try {
        // Behind a pooler, the connection that knows the statement's name may be another's.
        const result = await pool.query(mode === 'direct' && name ? { name, ...statement } : statement);
        if (failing) log.info('requests are counted in the database again');
        failing = false;
        return result;
      } catch (error) {
        if (!failing) {
          log.warn({ reason: (error as Error).message }, 'requests cannot be counted in the database');
        }
        failing = true;
        throw error;
      }
    },
  };
}
