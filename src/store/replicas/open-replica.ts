import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { closeOrm } from '../../database/close-orm.ts';
import type { ConnectionMode, DatabaseSettings } from '../../database/connection.ts';
import { reachOnce } from '../../database/reach-database.ts';
import { type SideConnection, sideConnection } from '../../database/side-connection.ts';
import { poolOf } from '../statements.ts';

/** How long a question to a replica may take, in milliseconds. */
export const QUESTION_MS = 1_000;

/** Opens the ORM on a database that has answered. */
export type OpenOrm = (database: DatabaseSettings, mode: ConnectionMode) => MikroORM;

/** How to use a replica. */
export interface ReplicaOptions {
  readonly database: DatabaseSettings;
  readonly maxLagMs: number;
  readonly openOrm: OpenOrm;
}

/** A replica that was reached. */
export interface OpenReplica {
  readonly orm: MikroORM;
  /** That of the ORM. */
  readonly pool: Pool;
  /** Answers whatever the server is. */
  readonly side: SideConnection;
}

/** Reaches the replica with this number. Throws what keeps it from being reached. */
export async function openReplica(
  number: number,
  { database, openOrm }: ReplicaOptions,
): Promise<OpenReplica> {
  const connectTimeoutMs = Math.min(database.connectTimeoutMs, QUESTION_MS);
  const { database: reached, mode } = await reachOnce({ ...database, connectTimeoutMs, role: 'any' });
  const found = { ...database, ...(reached.found && { found: reached.found }) };
  const orm = openOrm({ ...found, role: 'standby' }, mode);
  const side = sideConnection({ ...found, role: 'any' }, mode, {
    name: `rollcall replica ${number}`,
    limitMs: QUESTION_MS,
  });
  return { orm, pool: await poolOf(orm.em), side };
}

/** Closes its connections. */
export async function closeReplica({ orm, side }: OpenReplica): Promise<void> {
  await Promise.all([side.close(), closeOrm(orm)]);
}
