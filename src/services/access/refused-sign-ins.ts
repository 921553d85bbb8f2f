import type { EntityManager } from '@mikro-orm/postgresql';
import { LRUCache } from 'lru-cache';
import type { RefusalCode } from '../../domain/refusals.ts';
import { type RowOf, readRows, withDates } from '../../store/rows.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, type Position, pageOf } from '../paging.ts';

/** How long a refused sign-in is kept. */
const KEPT_DAYS = 30;

/** The most that are kept: somebody who can sign in with any number of emails must not fill the disk. */
const MAX_KEPT = 10_000;

/** The refused sign-ins of one email for one reason. */
export interface RefusedSignIn {
  readonly email: string;
  readonly reason: string;
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** How long refusals of an email for one reason are counted in memory after one was written. */
const WRITE_EVERY_MS = 60_000;

/** The most emails and reasons counted in memory. */
const MAX_COUNTED = 10_000;

// In one order, so that no two processes deadlock. By ages, because the database's clock counts.
const WRITE = `
  insert into refused_sign_ins as refused (email, reason, count, first_at, last_at)
  select email, reason, count, now() - age * interval '1 ms', now() - age * interval '1 ms'
    from jsonb_to_recordset($1::jsonb) as counted (email text, reason text, count int, age float8)
   order by email, reason
  on conflict (email, reason) do update
     set count = least(refused.count::bigint + excluded.count, 2147483647),
         last_at = greatest(refused.last_at, excluded.last_at)
  returning xmax = 0 as "isNew"`;

// Rows that others are changing are left for the next time.
const PRUNE = `
  delete from refused_sign_ins using (
    select email, reason from refused_sign_ins
     where last_at < now() - make_interval(days => $1)
        or (last_at, email, reason) <= (
             select last_at, email, reason from refused_sign_ins
              order by last_at desc, email desc, reason desc offset $2 limit 1)
       for update skip locked
  ) as old
  where refused_sign_ins.email = old.email and refused_sign_ins.reason = old.reason`;

/** A count in memory. */
interface Counted {
  readonly email: string;
  readonly reason: RefusalCode;
  /** Refusals since the last write; the times are of `performance.now()`. */
  count: number;
  writtenAt: number;
  lastAt: number;
}

/**
 * Counts refused sign-ins, for admins to see. Repeated refusals cost one write a minute in each process: in between they are
 * counted in memory, and lost when the process dies or when too many other emails push them out.
 */
export class RefusedSignInCounter {
  readonly #counted = new LRUCache<string, Counted>({ max: MAX_COUNTED });

  /** Counts a refusal, whatever becomes of the request. */
  async count(em: EntityManager, email: string, reason: RefusalCode): Promise<void> {
    const now = performance.now();
    const key = `${reason} ${email}`;
    const counted = this.#counted.get(key) ?? {
      email,
      reason,
      count: 0,
      writtenAt: Number.NEGATIVE_INFINITY,
      lastAt: now,
    };
    counted.count++;
    counted.lastAt = now;
    this.#counted.set(key, counted);
    if (now - counted.writtenAt >= WRITE_EVERY_MS) await write(em, [counted]);
  }

  /** Writes the counts in memory. */
  async flush(em: EntityManager): Promise<void> {
    await write(
      em,
      [...this.#counted.values()].filter(({ count }) => count > 0),
    );
  }
}

async function write(em: EntityManager, all: readonly Counted[]): Promise<void> {
  if (all.length === 0) return;
  const now = performance.now();
  const records = all.map(({ email, reason, count, lastAt }) => ({
    email,
    reason,
    count,
    age: now - lastAt,
  }));
  // Before the write: refusals that come during it belong to the next one.
  for (const counted of all) {
    counted.count = 0;
    counted.writtenAt = now;
  }
  try {
    const written = await readRows<{ isNew: boolean }>(em, {
      text: WRITE,
      values: [JSON.stringify(records)],
    });
    if (written.some(({ isNew }) => isNew)) await pruneRefused(em);
  } catch (error) {
    for (const [index, { count }] of records.entries()) (all[index] as Counted).count += count;
    throw error;
  }
}

/** Deletes what is older than {@link KEPT_DAYS} days, and the oldest beyond {@link MAX_KEPT}. */
export async function pruneRefused(em: EntityManager): Promise<void> {
  await readRows(em, { text: PRUNE, values: [KEPT_DAYS, MAX_KEPT] });
}

type Row = RowOf<RefusedSignIn, 'firstAt' | 'lastAt'>;

/**
 * Lists the refused sign-ins of the last days, latest first, whose email still has no active account: an email that has been
 * invited since is not among them.
 */
export async function listRefused(
  em: EntityManager,
  { limit = DEFAULT_LIMIT, after }: PageRequest,
): Promise<Page<RefusedSignIn>> {
  const rows = await readRows<Row>(em, {
    text: `select email, reason, count, first_at as "firstAt", last_at as "lastAt"
      from refused_sign_ins as refused
     where last_at >= now() - make_interval(days => $1)
       and ($3::timestamptz is null or (last_at, email, reason) < ($3, $4, $5))
       and not exists (select from users where users.email = refused.email and status = 'active')
     order by last_at desc, email desc, reason desc limit $2`,
    values: [KEPT_DAYS, limit + 1, ...(after ?? [null, null, null])],
  });
  return pageOf(rows, limit, {
    positionOf: ({ lastAt, email, reason }): Position => [lastAt, email, reason],
    itemOf: (row): RefusedSignIn => withDates(em, row, 'firstAt', 'lastAt'),
  });
}

/** The number of refused sign-ins in the last days, and of the emails they came from. */
export async function countRefused(em: EntityManager): Promise<{ people: number; attempts: number }> {
  const [row] = await readRows<{ people: number; attempts: number }>(em, {
    text: `select count(distinct email)::int as people, coalesce(sum(count), 0)::float8 as attempts
      from refused_sign_ins where last_at >= now() - make_interval(days => $1)`,
    values: [KEPT_DAYS],
  });
  return row as { people: number; attempts: number };
}
