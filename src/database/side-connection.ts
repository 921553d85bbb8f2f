import pg from 'pg';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from './connection.ts';
import { isSlow, isUnavailable } from './driver-errors.ts';

/** A connection beside the pool, for short questions that must be answered even when no connection of the pool is free. */
export interface SideConnection {
  /**
   * Runs a statement and returns its rows, of several without values those of the last one. Opens the connection where there is
   * none, and asks once more on a new one where it was lost meanwhile. Throws what the driver throws.
   */
  ask<Row>(statement: { readonly text: string; readonly values: readonly unknown[] }): Promise<Row[]>;
  /** Drops the connection: the next question opens another one, wherever the address leads then. */
  forget(): void;
  /** Ends the connection for good. A statement that is running fails. */
  close(): Promise<void>;
}

/** Whose connection it is. */
export interface SideOptions {
  /** Names it in `pg_stat_activity`. */
  readonly name: string;
  /** The most that connecting takes, and each statement, in milliseconds. Default: the limits of the database settings. */
  readonly limitMs?: number;
  /** Called when the server or the network has ended the connection. */
  readonly onLost?: () => void;
}

/** Creates the connection, which is opened with the first question and kept, other than after a failure that is no answer. */
export function sideConnection(
  database: DatabaseSettings,
  mode: ConnectionMode,
  { name, limitMs = Number.POSITIVE_INFINITY, onLost }: SideOptions,
): SideConnection {
  const limits = {
    ...database,
    connectTimeoutMs: Math.min(database.connectTimeoutMs, limitMs),
    statementTimeoutMs: Math.min(database.statementTimeoutMs, limitMs),
  };
  let current: { readonly client: pg.Client; readonly opened: Promise<unknown> } | undefined;
  let isClosed = false;

  const open = () => {
    if (isClosed) throw new Error('Connection terminated: it was closed.');
    const client = clientOf(limits, mode, name);
    client.once('end', () => {
      if (current?.client !== client) return;
      current = undefined;
      onLost?.();
    });
    current = { client, opened: client.connect() };
    return current;
  };
  const discard = (client: pg.Client) => {
    if (current?.client === client) current = undefined;
    client.connection.stream.destroy();
  };
  const run = async <Row>(text: string, values: readonly unknown[]): Promise<Row[]> => {
    const { client, opened } = current ?? open();
    try {
      await opened;
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(text, [...values]);
      return (Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows) as Row[];
    } catch (error) {
      const isAnswer = error instanceof pg.DatabaseError && !isUnavailable(error);
      if (!isAnswer) discard(client);
      throw error;
    }
  };

  return {
    async ask<Row>({ text, values }: { text: string; values: readonly unknown[] }) {
      const isReused = current !== undefined;
      try {
        return await run<Row>(text, values);
      } catch (error) {
        if (!isReused || isClosed || !isLost(error)) throw error;
        return await run<Row>(text, values);
      }
    },
    forget() {
      if (current !== undefined) discard(current.client);
    },
    async close() {
      isClosed = true;
      const last = current?.client;
      current = undefined;
      if (last !== undefined) await endClient(last, limits);
    },
  };
}

/** Whether another connection may do better at once: one that is slow, or full, takes as long again. */
function isLost(error: unknown): boolean {
  return isUnavailable(error) && !isSlow(error) && !/timeout/i.test((error as Error).message);
}
