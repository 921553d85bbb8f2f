import type { EntityManager } from '@mikro-orm/postgresql';
import type { Pool, PoolClient, QueryResultRow } from 'pg';

/**
 * What `read` yields, as one consistent picture of the database. The database is not asked before somebody reads, and its
 * connection, one of the pool's own, is given back when the reading ends, fails or is given up.
 */
export async function* inSnapshot<T>(
  em: EntityManager,
  read: (client: PoolClient) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const pool: Pool = await em.getConnection().getNativeClient();
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('begin isolation level repeatable read read only');
    // It takes as long as whoever reads does, who is watched by others; each fetch is still a statement that ends.
    await client.query('set local idle_in_transaction_session_timeout = 0');
    yield* read(client);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    await client.query('rollback').catch((error: Error) => {
      failure ??= error;
    });
    // A connection that has failed is not given to anybody else.
    client.release(failure);
  }
}

/** The rows of a query, `size` at a time, from a server-side cursor: no faster than they are read. In a transaction. */
export async function* inBatches<Row extends QueryResultRow>(
  client: PoolClient,
  { name, query, size }: { name: string; query: string; size: number },
): AsyncGenerator<readonly Row[]> {
  await client.query(`declare ${name} no scroll cursor for ${query}`);
  for (let isMore = true; isMore; ) {
    const { rows } = await client.query<Row>(`fetch ${size} from ${name}`);
    yield rows;
    isMore = rows.length === size;
  }
}
