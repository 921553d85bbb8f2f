import type { MikroORM } from '@mikro-orm/postgresql';
import type pg from 'pg';
import type { ConnectionMode, DatabaseSettings } from './connection.ts';
import { sideConnection } from './side-connection.ts';

/** How often to look which locks work waits for, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

/**
 * The sessions that hold the locks which sessions with these process ids wait for, a {@link Blocker} each. Without these themselves, and
 * the one that asks: an index built CONCURRENTLY waits for the boot lock's transaction, and for the snapshot of this statement.
 */
export const BLOCKERS = `
  select distinct format('session %s (%s)', other.pid, concat_ws(', ', nullif(application_name, ''), usename, state)) as name
    from unnest($1::int[]) as own (pid), unnest(pg_blocking_pids(own.pid)) as blocking (pid)
    join pg_stat_activity as other on other.pid = blocking.pid
   where other.pid <> all ($1::int[]) and other.pid <> pg_backend_pid()`;

/** A session that holds a lock, for people: `session 4711 (psql, app, idle in transaction)`. */
export interface Blocker {
  readonly name: string;
}

/** A client that is connected. */
export type Session = pg.Client & { processID: number };

/** The sessions of a pool that are in use, as long as it is watched. */
export async function busySessions(orm: MikroORM): Promise<{ all(): readonly Session[]; stop(): void }> {
  const pool: pg.Pool = await orm.em.getConnection().getNativeClient();
  const busy = new Set<pg.Client>();
  const take = (client: pg.Client) => busy.add(client);
  const leave = (_error: unknown, client: pg.Client) => busy.delete(client);
  pool.on('acquire', take).on('release', leave);
  return {
    all: () => [...busy] as Session[],
    stop: () => pool.off('acquire', take).off('release', leave),
  };
}

/** Says what locks are waited for that others hold. */
export function heldBy(blockers: readonly string[]): string {
  return `It waited for a lock that others hold: ${blockers.join(', ')}. End them, or wait for them.`;
}

/** Work that did not get a lock in time; nothing of its transaction has happened. */
export class LockMissed extends Error {
  override readonly name = 'LockMissed';

  constructor(cause: Error, blockers: readonly string[]) {
    super(blockers.length > 0 ? `${cause.message}. ${heldBy(blockers)}` : cause.message, { cause });
  }
}

/** What work waits for, as long as it is watched. */
export interface LockWatch {
  /** The sessions that held the locks which the work waited for last. */
  blockers(): readonly string[];
  stop(): Promise<void>;
}

/**
 * Watches which locks the connections of `orm` wait for, from another connection, and tells the sessions that hold them whenever these
 * change. Behind a pooler, which hides the sessions, it sees nothing.
 */
export async function watchLocks(
  orm: MikroORM,
  { database, mode }: { readonly database: DatabaseSettings; readonly mode: ConnectionMode },
  onWait?: (blockers: readonly string[]) => void,
): Promise<LockWatch> {
  const sessions = await busySessions(orm);
  const side = sideConnection(database, mode, { name: 'rollcall lock watch', limitMs: LOOK_EVERY_MS });
  let last: readonly string[] = [];
  let looking: Promise<void> = Promise.resolve();
  const look = async () => {
    const pids = sessions.all().map(({ processID }) => processID);
    if (pids.length === 0) return;
    const found = await side.ask<Blocker>({ text: BLOCKERS, values: [pids] }).catch(() => []);
    const names = found.map(({ name }) => name).sort();
    if (names.length === 0) return;
    if (names.join() !== last.join()) onWait?.(names);
    last = names;
  };
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_EVERY_MS);
  if (mode === 'pooled') clearInterval(timer);
  return {
    blockers: () => last,
    async stop() {
      clearInterval(timer);
      sessions.stop();
      await side.close();
      await looking;
    },
  };
}
