import type { EntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

/** A statement with its parameters, as the driver takes them. */
export interface Statement {
  /** Prepares it once for each connection. It must then return the same types whatever migrations do to its columns. */
  readonly name?: string | undefined;
  readonly text: string;
  readonly values: readonly unknown[];
  /** In a transaction: whoever sends it goes on at once, and gets its failure from the next statement or the commit. */
  readonly isAnsweredByNext?: boolean | undefined;
}

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

/**
 * Reads plain rows, which take a tenth of the time of entities. It uses a connection of the pool, and so reads outside of
 * any transaction of `em`.
 */
export async function readRows<Row>(em: EntityManager, { name, text, values }: Statement): Promise<Row[]> {
  const pool = await poolOf(em);
  const { rows } = await pool.query({ ...(name !== undefined && { name }), text, values: [...values] });
  return rows as Row[];
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
    throw em
      .getPlatform()
      .getExceptionConverter()
      .convertException(error as Error);
  }
}

/** Kysely's type of a statement. */
type CompiledQuery = Parameters<ReturnType<EntityManager['getKysely']>['executeQuery']>[0];

/** PostgreSQL's code of a statement that took too long. */
const QUERY_CANCELED = '57014';

/** Reads plain rows, as {@link readRows} does; `undefined` where that takes longer than `ms`. */
export async function readRowsWithin<Row>(
  em: EntityManager,
  ms: number,
  { text, values }: Statement,
): Promise<Row[] | undefined> {
  const client = await (await poolOf(em)).connect();
  let failure: Error | undefined;
  try {
    await client.query(`begin read only; set local statement_timeout = ${ms}`);
    return (await client.query(text, [...values])).rows as Row[];
  } catch (error) {
    if ((error as { code?: string }).code === QUERY_CANCELED) return undefined;
    failure = error as Error;
    throw error;
  } finally {
    await client.query('rollback').catch((error: Error) => {
      failure ??= error;
    });
    // A connection that failed is closed, not reused.
    client.release(failure);
  }
}

/** A time that the driver has read: it leaves times as text, to the microsecond. */
export function dateOf(em: EntityManager, text: string): Date {
  return em.getPlatform().parseDate(text);
}

/** A time as the sessions, which are in UTC, print it in our era. */
const PRINTED = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3})\d*)?\+00$/;

/** A time that the driver has read, as JSON has times: in ISO 8601, UTC, with milliseconds. */
export function isoTimeOf(em: EntityManager, text: string): string {
  const printed = PRINTED.exec(text);
  if (printed === null) return dateOf(em, text).toISOString();
  const [, date, time, fraction = ''] = printed;
  return `${date}T${time}.${fraction.padEnd(3, '0')}Z`;
}

/** A row as the driver reads it: with `Times` as text. */
export type RowOf<Entity, Times extends keyof Entity> = Omit<Entity, Times> & {
  readonly [Time in Times]: string;
};

/** A row with its columns of time as dates. */
export function withDates<Times extends string, Row extends Readonly<Record<Times, string>>>(
  em: EntityManager,
  row: Row,
  ...times: readonly Times[]
): Omit<Row, Times> & { [Time in Times]: Date } {
  const dates = times.map((time) => [time, dateOf(em, row[time])]);
  return { ...row, ...Object.fromEntries(dates) };
}
