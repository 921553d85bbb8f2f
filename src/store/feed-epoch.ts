import type { EntityManager } from '@mikro-orm/postgresql';
import { runAlone, type Statement } from './statements.ts';

/**
 * When something of the feed was read: in which life of the database, and no later than where its log (WAL) was then. A life ends
 * when another server takes over, as after a failover or a restore, which may lack the last of what was served.
 */
export interface Sight {
  /** The id of the epoch. */
  readonly epoch: string;
  /** The position in the log, in bytes; 64 bits, so text. */
  readonly lsn: string;
}

/**
 * Selects the present epoch's `epoch` and `epochNumber`, and the `lsn` of the log; no epoch where the server has begun another
 * life that {@link renewEpoch} has not written down yet. One row. Part of each statement that reads the feed: behind one
 * address, the next statement may reach another server. Raises 25006 on a standby.
 */
export const EPOCH = `
  select last.id as epoch, last.number as "epochNumber", server.lsn
    from rollcall_server() as server
    left join (select * from feed_epochs order by number desc limit 1) as last
      on last.server = server.server and last.timeline is not distinct from server.timeline`;

/**
 * SQL for whether what was read in the epoch `id` up to `lsn` is still true in the row `present` of {@link EPOCH}: no server has
 * taken over that may lack a part of it, and the log has come that far.
 */
export function continuedSql({ id, lsn, present }: { id: string; lsn: string; present: string }): string {
  return `exists (
    select from feed_epochs as own
     where own.id = ${id} and (own.id <> ${present}.epoch or ${lsn} <= ${present}.lsn)
       and not exists (
         select from feed_epochs as later where later.number > own.number and coalesce(later.forked_at, -1) < ${lsn}
       ))`;
}

// Where timelines are skipped, nobody knows which of them came between.
const RENEW = `
  with server as materialized (select * from rollcall_server()),
       last as materialized (select * from feed_epochs order by number desc limit 1),
       renewed as (
         insert into feed_epochs (number, id, server, timeline, forked_at)
         select coalesce(last.number, 0) + 1, left(replace(gen_random_uuid()::text, '-', ''), 12), server.server, server.timeline,
                case when last.server = server.server and server.timeline = last.timeline + 1 then server.forked_at end
           from server left join last on true
          where last.server is distinct from server.server or last.timeline is distinct from server.timeline
         on conflict (number) do nothing
         returning number, id, forked_at
       )
  select coalesce(renewed.id, last.id) as epoch, coalesce(renewed.number > 1, false) as "hasChanged",
         coalesce(renewed.forked_at, last.forked_at) is not null as "isForkKnown", server.timeline is not null as "isKnown"
    from server left join renewed on true
    left join last on last.server = server.server and last.timeline is not distinct from server.timeline`;

/** What {@link renewEpoch} found. */
export interface RenewedEpoch {
  /** The id of the present epoch. */
  readonly epoch: string;
  /** Whether this call began another epoch after an earlier one. */
  readonly hasChanged: boolean;
  /** Whether the server knew where it took over when the present epoch began, so that cursors from before that point stay valid. */
  readonly isForkKnown: boolean;
  /** Whether the role may ask the server who it is: otherwise only a restored dump begins an epoch. */
  readonly isKnown: boolean;
}

/** Begins an epoch if the server is not the one of the last epoch, or has begun another timeline. Once, whoever calls it. */
export async function renewEpoch(em: EntityManager): Promise<RenewedEpoch> {
  return untilInEpoch(async () => {
    const [renewed] = await runAlone<Omit<RenewedEpoch, 'epoch'> & { epoch: string | null }>(em, {
      text: RENEW,
      values: [],
    });
    // Another process has begun it at this moment: this statement does not see that yet.
    return renewed?.epoch == null ? undefined : { ...renewed, epoch: renewed.epoch };
  });
}

/** What the rows of a statement with {@link EPOCH} say of the server. */
export interface ServerRow {
  /** `null` where the server is in no epoch yet. */
  readonly epoch: string | null;
  readonly lsn: string;
}

/** How often a statement is repeated when the server has begun another epoch: that is written down first. */
const MAX_READS = 5;

async function untilInEpoch<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (let reads = 1; reads <= MAX_READS; reads++) {
    const result = await read();
    if (result !== undefined) return result;
  }
  throw new Error('The database changes from server to server: no epoch of the change feed lasts.');
}

/** Reads with a statement whose rows say in which epoch the server is, and begins one where it is in none. */
export async function readInEpoch<Row extends ServerRow>(
  em: EntityManager,
  statement: Statement,
): Promise<{ rows: Row[]; seen: Sight }> {
  return untilInEpoch(async () => {
    const rows = await runAlone<Row>(em, statement);
    const { epoch = null, lsn = '0' } = rows[0] ?? {};
    if (epoch !== null) return { rows, seen: { epoch, lsn } };
    await renewEpoch(em);
    return undefined;
  });
}

/** Where the log of the database is now: after all that has been committed. */
export async function presentSight(em: EntityManager): Promise<Sight> {
  return (await readInEpoch(em, { text: EPOCH, values: [] })).seen;
}
