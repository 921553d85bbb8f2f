import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { until } from './until.ts';

/** A primary with a standby that follows it asynchronously. */
export interface Pair {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Waits until the standby has everything that the primary has written so far. */
  caughtUp(): Promise<void>;
  /** Ends the replication: the standby has what has been written so far, and never gets what is written from now on. */
  separate(): Promise<void>;
  /** Makes the standby a primary. */
  promote(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts one. */
export async function startPair(): Promise<Pair> {
  const primary = await startPostgres();
  const standby = await startPostgres({ primary });
  const pair: Pair = {
    primary,
    standby,
    async caughtUp() {
      // Where it writes next counts the head of a new page, and a standby does not.
      const [{ lsn } = { lsn: '' }] = await primary.query<{ lsn: string }>(
        'select pg_current_wal_flush_lsn() as lsn',
      );
      await until('the standby', async () => {
        const [row] = await standby.query<{ there: boolean }>(
          `select pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn as there`,
        );
        return row?.there;
      });
    },
    async separate() {
      // A standby gets only what has been flushed, and this commit flushes all before it.
      await primary.query("select pg_logical_emit_message(true, 'test', 'so far')");
      await pair.caughtUp();
      await standby.query("alter system set primary_conninfo = ''");
      await standby.query('select pg_reload_conf()');
      await until('the end of the replication', async () => {
        return (await standby.query('select from pg_stat_wal_receiver')).length === 0;
      });
    },
    async promote() {
      await standby.query('select pg_promote()');
    },
    async remove() {
      await standby.remove();
      await primary.remove();
    },
  };
  return pair;
}
