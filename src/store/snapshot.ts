import type { EntityManager } from '@mikro-orm/postgresql';
import { poolOf } from './statements.ts';
import type { UnitEntityManager } from './unit.ts';

/** A server-side cursor. */
export interface BatchCursor {
  readonly name: string;
  readonly query: string;
  readonly values?: readonly unknown[] | undefined;
  /** How many rows are fetched at once: asked before each time, where it differs. */
  readonly size: number | (() => number);
}

/** The database as it was at one moment. */
export interface Snapshot {
  /** The rows of a query, `size` of them at a time, through a server-side cursor of this name: no faster than they are taken. */
  batches<Row>(cursor: BatchCursor): AsyncGenerator<readonly Row[]>;
}

// The reader sets the pace, and others watch it; each fetch is still a statement with a time limit.
const BEGIN = `begin isolation level repeatable read read only;
  set local timezone = 'UTC'; set local idle_in_transaction_session_timeout = 0;
  select set_config(name, '0', true) from (values ('transaction_timeout')) as known (name) where current_setting(name, true) is not null`;

/**
 * Yields what `read` yields, from one consistent snapshot of the database. It takes a connection of the pool when the first
 * item is asked for, and gives it back when reading ends, fails or is abandoned. Times are in UTC.
 */
export async function* inSnapshot<T>(
  em: EntityManager,
  read: (snapshot: Snapshot) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const pool = await poolOf(em);
  // An EntityManager of a replica has no unit, and that server no writes.
  const leave = (em as UnitEntityManager).unit?.occupyConnection();
  const client = await pool.connect().catch((error: unknown) => {
    leave?.();
    throw error;
  });
  let failure: Error | undefined;
  try {
    await client.query(BEGIN);
    yield* read({
      async *batches<Row>({ name, query, values = [], size }: BatchCursor) {
        await client.query(`declare ${name} no scroll cursor for ${query}`, [...values]);
        for (let isMore = true; isMore; ) {
          const asked = typeof size === 'number' ? size : size();
          const { rows } = await client.query(`fetch ${asked} from ${name}`);
          yield rows as Row[];
          isMore = rows.length === asked;
        }
      },
    });
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    await client.query('rollback').catch((error: Error) => {
      failure ??= error;
    });
    // A connection that failed is closed, not reused.
    client.release(failure);
    leave?.();
  }
}
