import type { MikroORM } from '@mikro-orm/postgresql';
import { sameTurn } from './same-turn.ts';
import { runAlone } from './statements.ts';

/** The most keys of a statement: a larger batch would make the first of them wait for the last. */
const MAX_BATCH = 100;

/** A statement that looks up many keys at once. */
export interface BatchedStatement<Key> {
  /** Under which it is prepared. */
  readonly name: string;
  /** Each row has the `place` of its key, from 1: at most one row a key. */
  readonly text: string;
  /** Its parameters: for each, the values of all keys. */
  readonly values: (keys: readonly Key[]) => unknown[][];
}

/**
 * SQL for the keys of a statement, a row each: `columns`, with the values of the parameters from the first on, and `place`. Each
 * parameter is a select of its own: a planner that sees how few keys there are makes a plan for them alone, each time, which takes
 * ten times as long as the look-up.
 */
export function askedKeys(...columns: readonly string[]): string {
  const values = columns.map((_, at) => `(select $${at + 1}::text[])`);
  return `unnest(${values.join(', ')}) with ordinality as asked (${columns.join(', ')}, place)`;
}

/** Creates the look-up of a statement. */
export type LookUps = <Key, Row extends { readonly place: number }>(
  statement: BatchedStatement<Key>,
) => (key: Key) => Promise<Row | null>;

/**
 * Look-ups that requests share: those that arrive in one turn of the event loop are answered by one prepared statement, because
 * a round trip costs the server and PostgreSQL more than the look-up itself. A lone request waits for nobody, nothing is kept,
 * and the error of a statement reaches all of its requests. They read outside of any transaction. `onBatch` is told
 * how many keys each statement looks up.
 */
export function batchedLookUps(orm: MikroORM, onBatch?: (size: number) => void): LookUps {
  return <Key, Row extends { readonly place: number }>({ name, text, values }: BatchedStatement<Key>) => {
    return sameTurn<Key, Row | null>(MAX_BATCH, async (keys) => {
      onBatch?.(keys.length);
      const found: (Row | null)[] = Array(keys.length).fill(null);
      const rows = await runAlone<Row>(orm.em, { name, text, values: values(keys) });
      for (const row of rows) found[row.place - 1] = row;
      return found;
    });
  };
}
