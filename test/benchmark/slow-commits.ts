import pg from 'pg';
import { startPostgres } from '../support/postgres-server.ts';
import { startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import type { Case } from './cases.ts';
import { type Build, startRollcall, UNLIMITED } from './contenders.ts';
import { fill } from './database.ts';
import { CONNECTIONS, generator } from './load.ts';
import type { Rounds } from './measure.ts';

/** How long the standby, for which a commit waits, takes to hear of it, in milliseconds. */
const FAR_MS = 10;

/** As few as a benchmark has. */
const ACCOUNTS = 2_000;

/** Writes a second where a commit takes {@link FAR_MS}. */
export interface SlowCommits {
  readonly name: string;
  readonly writes: number;
}

/** How a plain transaction tells of its change, by name. */
const PLAIN = {
  'a transaction with pg_notify in it': `insert into written default values; select pg_notify('written', '')`,
  'the same without pg_notify': 'insert into written default values; select 1',
};

/**
 * Compares writes where a commit takes 10 ms, because it waits for a standby that is so far away: plain transactions of as many
 * connections as there are callers, with a notification and without one, and the writes of some builds.
 */
export async function slowCommits(
  builds: readonly Build[],
  writes: Case,
  { warmUp, seconds }: Rounds,
): Promise<SlowCommits[]> {
  const settings = { fsync: 'on', max_connections: '200' };
  const primary = await startPostgres({ settings });
  const url = `postgres://postgres@127.0.0.1:${primary.port}/postgres`;
  const road = await startProxy(url, { delayMs: FAR_MS });
  const primary_conninfo = `host=127.0.0.1 port=${new URL(road.url).port} user=postgres`;
  const standby = await startPostgres({ primary, settings: { ...settings, primary_conninfo } });
  try {
    // The first boot migrates.
    await (await startRollcall(url, UNLIMITED, builds[0])).stop();
    await fill(url, ACCOUNTS);
    await primary.query('create table written (id bigint generated always as identity)');
    await primary.query(`alter system set synchronous_standby_names = '*'`);
    await primary.query('select pg_reload_conf()');
    await until('the standby', async () => {
      const found = await primary.query(`select from pg_stat_replication where sync_state = 'sync'`);
      return found.length > 0;
    });
    const found: SlowCommits[] = [];
    for (const [name, sql] of Object.entries(PLAIN))
      found.push({ name, writes: await transactions(url, sql, seconds) });
    for (const build of builds) {
      const contender = await startRollcall(url, UNLIMITED, build);
      const load = await writes.load({ accounts: ACCOUNTS, seconds, url: contender.url });
      await generator.run(contender.url, load, warmUp);
      const seen = await generator.run(contender.url, load, seconds);
      found.push({
        name: `${build.name}, ${writes.title}`,
        writes: (seen.requests - seen.refused) / seen.seconds,
      });
      await contender.stop();
    }
    return found;
  } finally {
    await standby.remove();
    await road.close();
    await primary.remove();
  }
}

/** How many transactions a second {@link CONNECTIONS} connections commit. */
async function transactions(url: string, sql: string, seconds: number): Promise<number> {
  let count = 0;
  const end = performance.now() + seconds * 1_000;
  const work = async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (; performance.now() < end; count++) await client.query(`begin; ${sql}; commit`);
    await client.end();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  return count / seconds;
}
