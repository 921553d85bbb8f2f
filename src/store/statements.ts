import type { EntityManager } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';
import { isUnavailable } from '../database/driver-errors.ts';

/** A statement with its parameters, as the driver takes them. */
export interface Statement {
  /** Prepares it once for each connection. It must then return the same types whatever migrations do to its columns. */
  readonly name?: string | undefined;
  readonly text: string;
  readonly values: readonly unknown[];
  /** In a transaction: whoever sends it goes on at once, and gets its failure from the next statement or the commit. */
  readonly isAnsweredByNext?: boolean | undefined;
}

/**
 * A statement of its own transaction. With a name and over a direct connection, its wait for each lock can be limited, in
 * milliseconds.
 */
export interface LoneStatement extends Omit<Statement, 'isAnsweredByNext'> {
  readonly lockTimeoutMs?: number | null;
}

/** Runs a statement and returns its rows. */
export type Ask = <Row>(statement: Pick<Statement, 'text' | 'values'>) => Promise<Row[]>;

/** Adds a value to a statement's parameters and returns its placeholder. */
export type Bind<Value = unknown> = (value: Value) => string;

/** The parameters of a statement under construction. */
export function parameters<Value = unknown>(): { values: Value[]; bind: Bind<Value> } {
  const values: Value[] = [];
  return { values, bind: (value) => `$${values.push(value)}` };
}

/** The connection pool under an EntityManager. */
export function poolOf(em: EntityManager): Promise<Pool> {
  return em.getConnection().getNativeClient();
}

/** Whether more wait for a connection of a pool than are idle. */
export function isPoolCrowded({ waitingCount, idleCount }: Pool): boolean {
  return waitingCount > idleCount;
}

/**
 * Runs a statement on a connection of the pool, and so outside of any transaction of `em`. Plain rows take a tenth of the time of
 * entities. Throws the driver's exceptions as the ORM does.
 */
export function runAlone<Row>(em: EntityManager, statement: LoneStatement): Promise<Row[]> {
  return onConnection(em, async (client) => (await client.query(queryOf(statement))).rows as Row[]);
}

/**
 * Runs a statement as {@link runAlone} does, and sends another one right behind it on the same connection: that one sees what the first
 * has committed, and costs no round trip. Returns the rows of both; `undefined` for those of the second where it failed.
 */
export function runWithNext<Row, Next>(
  em: EntityManager,
  statement: LoneStatement,
  next: Statement,
): Promise<{ rows: Row[]; next: Next[] | undefined }> {
  return onConnection(em, async (client) => {
    const [first, second] = await Promise.allSettled([
      client.query(queryOf(statement)),
      client.query(queryOf(next)),
    ]);
    if (first.status === 'rejected') throw first.reason;
    const nextRows = second.status === 'fulfilled' ? (second.value.rows as Next[]) : undefined;
    return { rows: first.value.rows as Row[], next: nextRows };
  });
}

/** A statement as the driver takes it. */
function queryOf({ name, text, values, lockTimeoutMs = null }: LoneStatement) {
  return {
    ...(name !== undefined && { name }),
    text,
    values: [...values],
    ...(lockTimeoutMs !== null && { lockTimeoutMs }),
  };
}

/**
 * Runs a statement in the transaction of `em`, with its values bound: `em.execute` prints them into its text. Throws the driver's
 * exceptions as the ORM does.
 */
export async function runInTransaction<Row>(
  em: EntityManager,
  { name, text, values, isAnsweredByNext }: Statement,
): Promise<Row[]> {
  if (!em.isInTransaction()) throw new Error('There is no transaction to run the statement in.');
  // Kysely hands the SQL on as it is, and the driver takes a statement with its options there.
  const sql = { ...(name !== undefined && { name }), text, isAnsweredByNext };
  const query = { query: { kind: 'RawNode' }, queryId: { queryId: '' }, sql, parameters: values };
  try {
    return (await em.getKysely().executeQuery(query as unknown as CompiledQuery)).rows as Row[];
  } catch (error) {
    throw exceptionOf(em, error);
  }
}

/**
 * Runs work in a savepoint of the transaction of `em`: where it throws, what it has written is undone, and the transaction goes on.
 * Deferred constraints are checked at its end, so that nothing of it is left for the commit to refuse.
 */
export async function runApart<T>(em: EntityManager, work: () => Promise<T>): Promise<T> {
  const run = (text: string, isAnsweredByNext = false) =>
    runInTransaction(em, { text, values: [], isAnsweredByNext });
  await run('savepoint apart', true);
  try {
    const result = await work();
    await run('set constraints all immediate; release savepoint apart');
    return result;
  } catch (error) {
    await run('rollback to savepoint apart; release savepoint apart', true);
    throw error;
  }
}

/** Kysely's type of a statement. */
type CompiledQuery = Parameters<ReturnType<EntityManager['getKysely']>['executeQuery']>[0];

/** PostgreSQL's codes of a statement that took too long, and of a write where only reads are allowed. */
const QUERY_CANCELED = '57014';
const READ_ONLY = '25006';

/**
 * Runs a reading statement, as {@link runAlone} does; `undefined` where it takes longer than `ms`. The limit of the session holds
 * too, and its error is not this one's.
 */
export function runWithin<Row>(
  em: EntityManager,
  ms: number,
  { text, values }: Statement,
): Promise<Row[] | undefined> {
  const limit = Math.max(1, Math.ceil(ms));
  return onConnection(em, async (client) => {
    await client.query('begin read only');
    const began = performance.now();
    try {
      await client.query(`
        select set_config('statement_timeout', least(${limit}, nullif(own.ms, 0))::int::text, true)
          from (select 1000 * extract(epoch from current_setting('statement_timeout')::interval)) as own (ms)`);
      return (await client.query(text, [...values])).rows as Row[];
    } catch (error) {
      if (codeOf(error) === QUERY_CANCELED && performance.now() - began >= limit) return undefined;
      throw error;
    } finally {
      await client.query('rollback');
    }
  });
}

/**
 * Lends a connection of the pool. Only one that is of no more use is closed: a refused statement leaves it as it was, and a new
 * one costs more than a request.
 */
async function onConnection<T>(em: EntityManager, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await (await poolOf(em)).connect();
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    const isCanceled = codeOf(error) === QUERY_CANCELED;
    if ((isUnavailable(error) && !isCanceled) || codeOf(error) === READ_ONLY) failure = error as Error;
    throw exceptionOf(em, error);
  } finally {
    client.release(failure);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

/** The exception that the ORM makes of a driver's error. */
function exceptionOf(em: EntityManager, error: unknown): Error {
  return em
    .getPlatform()
    .getExceptionConverter()
    .convertException(error as Error);
}
