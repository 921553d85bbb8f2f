import type { MikroORM } from '@mikro-orm/postgresql';
import DataLoader from 'dataloader';
import { poolOf } from './rows.ts';

/** The most keys of a statement: a larger batch would make the first of them wait for the last. */
const MAX_BATCH = 100;

/** A statement that looks up many keys at once. */
export interface BatchedStatement<Key> {
  /** Of the prepared statement. */
  readonly name: string;
  /** Its rows name the key that they are for: `place`, from 1. One row a key, or none. */
  readonly text: string;
  /** Its parameters: for each, the values of all keys. */
  readonly values: (keys: readonly Key[]) => unknown[][];
}

/** Creates the look-up of a statement. */
export type LookUps = <Key, Row extends { readonly place: number }>(
  statement: BatchedStatement<Key>,
) => (key: Key) => Promise<Row | null>;

/**
 * Look-ups that requests share: those that arrive in one turn of the event loop are answered by one prepared statement, because
 * a round trip costs the server and PostgreSQL more than the look-up itself. A lone request waits for nobody, nothing is kept,
 * and the error of a statement reaches all of its requests. They read outside of any transaction.
 */
export function batchedLookUps(orm: MikroORM): LookUps {
  return <Key, Row extends { readonly place: number }>({ name, text, values }: BatchedStatement<Key>) => {
    const loader = new DataLoader<Key, Row | null>(
      async (keys) => {
        const pool = await poolOf(orm.em);
        const found: (Row | null)[] = Array(keys.length).fill(null);
        const { rows } = await pool.query<Row>({ name, text, values: values(keys) });
        for (const row of rows) found[row.place - 1] = row;
        return found;
      },
      { batchScheduleFn: setImmediate, maxBatchSize: MAX_BATCH, cache: false },
    );
    return (key: Key) => loader.load(key);
  };
}
