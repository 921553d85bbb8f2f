import type pg from 'pg';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from './connection.ts';

/** A connection beside the pool, for short questions that must be answered even when no connection of the pool is free. */
export interface SideConnection {
  /** Runs a statement and returns its rows. Opens the connection where there is none. Throws what the driver throws. */
  ask<Row>(statement: { readonly text: string; readonly values: readonly unknown[] }): Promise<Row[]>;
  /** Ends the connection. A statement that is running fails. */
  close(): Promise<void>;
}

/**
 * Creates the connection, which is opened with the first question and kept. Connecting and each statement may take `limitMs` at
 * most. After any failure the connection is closed: the next question finds out anew where the database is.
 */
export function sideConnection(
  database: DatabaseSettings,
  mode: ConnectionMode,
  { name, limitMs }: { readonly name: string; readonly limitMs: number },
): SideConnection {
  const limits = {
    ...database,
    connectTimeoutMs: Math.min(database.connectTimeoutMs, limitMs),
    statementTimeoutMs: Math.min(database.statementTimeoutMs, limitMs),
  };
  let client: pg.Client | undefined;
  let opening: Promise<unknown> | undefined;

  const connected = async (): Promise<pg.Client> => {
    if (client === undefined) {
      const opened = clientOf(limits, mode, name);
      client = opened;
      opened.once('end', () => {
        if (client === opened) client = undefined;
      });
      opening = opened.connect();
    }
    const chosen = client;
    await opening;
    return chosen;
  };
  const close = async () => {
    const open = client;
    client = undefined;
    if (open !== undefined) await endClient(open, limits);
  };

  return {
    async ask<Row>({ text, values }: { text: string; values: readonly unknown[] }) {
      try {
        return (await (await connected()).query(text, [...values])).rows as Row[];
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}
