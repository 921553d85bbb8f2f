import type { MikroORM } from '@mikro-orm/postgresql';
import type { Settings } from '../../config/settings.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { sideConnection } from '../database/side-connection.ts';
import { type OpenOrm, QUESTION_MS } from '../store/replicas/open-replica.ts';
import { ReadReplica } from '../store/replicas/read-replica.ts';
import { Replicas } from '../store/replicas/replicas.ts';

/** The primary, and where its replicas are. */
export interface ReplicaPlan extends Readonly<Settings['replicas']> {
  readonly orm: MikroORM;
  readonly database: DatabaseSettings;
  /** The settings of the primary's pool, which those of the replicas share. */
  readonly pool: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly openOrm: OpenOrm;
}

/** Opens the read replicas. It connects to none of them yet. */
export function openReplicas({ orm, database, pool, mode, openOrm, urls, maxLagMs }: ReplicaPlan): Replicas {
  // What was found out about the primary may be otherwise with them.
  const { found: _, ...limits } = pool;
  const replicas = urls.map(
    (url, index) => new ReadReplica(index + 1, { database: { ...limits, url }, maxLagMs, openOrm }),
  );
  const side = sideConnection(database, mode, { name: 'rollcall replicas', limitMs: QUESTION_MS });
  return new Replicas({ em: orm.em.fork(), side, replicas }, maxLagMs);
}
