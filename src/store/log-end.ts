import type { EntityManager } from '@mikro-orm/postgresql';
import { runAlone, type Statement } from './statements.ts';

/** Where the log (WAL) of a server is: after all that has been committed there. */
export interface LogEnd {
  /** When the server was started, in seconds of the epoch: no other one of the cluster was started at the same microsecond. */
  readonly startedAt: string;
  /** The position, in bytes; 64 bits, so text. */
  readonly lsn: string;
}

/** Selects the start of a server, as {@link LogEnd} has it. */
export const STARTED_AT = `extract(epoch from pg_postmaster_start_time())::text as "startedAt"`;

/**
 * The statement that asks for it. It does not ask for the epoch, which takes as long as writing an account: whoever knows that of this
 * server, knows it until its next start.
 */
export const LOG_END: Statement = {
  name: 'log-end',
  text: `select ${STARTED_AT}, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text as lsn`,
  values: [],
};

/** Asks the server of an EntityManager for it. */
export async function readLogEnd(em: EntityManager): Promise<LogEnd> {
  const [end] = await runAlone<LogEnd>(em, LOG_END);
  return end as LogEnd;
}
