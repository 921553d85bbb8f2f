import type { EntityManager } from '@mikro-orm/postgresql';
import { LRUCache } from 'lru-cache';
import type { ErrorCode } from '../../domain/errors.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { dateOf, readRows } from '../../store/rows.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, positionOf } from '../paging.ts';

/** How long a refusal is remembered. */
const KEPT_DAYS = 30;

/** How many are remembered: whoever can sign in with any number of emails shall not fill the disk. */
const MAX_KEPT = 10_000;

/** A sign-in that has been turned away. */
export interface RefusedSignIn {
  readonly email: string;
  readonly reason: string;
  /** How often. */
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** How long the first refusal of a kind is all that is written of it; those that follow are counted in memory. */
const WRITE_EVERY_MS = 60_000;

/** Of how many kinds refusals are counted in memory. */
const MAX_COUNTED = 10_000;

// In one order, so that no two wait for each other. By ages, for the clock is the database's.
const WRITE = `
  insert into refused_sign_ins as refused (email, reason, count, first_at, last_at)
  select email, reason, count, now() - age * interval '1 ms', now() - age * interval '1 ms'
    from jsonb_to_recordset($1::jsonb) as counted (email text, reason text, count int, age float8)
   order by email, reason
  on conflict (email, reason) do update
     set count = least(refused.count::bigint + excluded.count, 2147483647),
         last_at = greatest(refused.last_at, excluded.last_at)
  returning xmax = 0 as "isNew"`;

// Those that others are about to change are left for the next time.
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

/** The refusals of one email for one reason. */
interface Counted {
  readonly email: string;
  readonly reason: ErrorCode;
  /** How many there were since they were written; and when these and the last one were, by `performance.now()`. */
  count: number;
  writtenAt: number;
  lastAt: number;
}

/**
 * Keeps count of sign-ins that are turned away, for admins to see. Whoever comes again and again costs one write a minute
 * in each process: what comes in between is summed up in memory, which is lost when the process dies, and when too many
 * others come after it.
 */
export class RefusalCounter {
  readonly #counted = new LRUCache<string, Counted>({ max: MAX_COUNTED });

  /** Counts a refusal, whatever becomes of the request. */
  async note(em: EntityManager, email: string, reason: ErrorCode): Promise<void> {
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

  /** Writes down what is in memory. */
  async settle(em: EntityManager): Promise<void> {
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
  // Before it is done: those that come meanwhile are for the next time.
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

/** Forgets what is older than {@link KEPT_DAYS} days, and the oldest where there are more than {@link MAX_KEPT}. */
export async function pruneRefused(em: EntityManager): Promise<void> {
  await readRows(em, { text: PRUNE, values: [KEPT_DAYS, MAX_KEPT] });
}

/** A row, its times as PostgreSQL writes them, to the microsecond. */
type Row = Omit<RefusedSignIn, 'firstAt' | 'lastAt'> & { firstAt: string; lastAt: string };

/**
 * The refusals of the last days, the latest first, of those who still have no account that may be used: whoever has been
 * invited since is not among them. Throws `bad_cursor`.
 */
export async function listRefused(
  em: EntityManager,
  cursors: CursorCodec,
  { limit = DEFAULT_LIMIT, cursor }: PageRequest,
): Promise<Page<RefusedSignIn>> {
  const scope = ['refused sign-ins'];
  const after = positionOf(cursors, cursor, scope);
  const rows = await readRows<Row>(em, {
    text: `select email, reason, count, first_at as "firstAt", last_at as "lastAt"
      from refused_sign_ins as refused
     where last_at >= now() - make_interval(days => $1)
       and ($3::timestamptz is null or (last_at, email, reason) < ($3, $4, $5))
       and not exists (select from users where users.email = refused.email and status = 'active')
     order by last_at desc, email desc, reason desc limit $2`,
    values: [KEPT_DAYS, limit + 1, ...(after ?? [null, null, null])],
  });
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    items: rows
      .slice(0, limit)
      .map((row) => ({ ...row, firstAt: dateOf(em, row.firstAt), lastAt: dateOf(em, row.lastAt) })),
    next: last === undefined ? null : cursors.seal([last.lastAt, last.email, last.reason], scope),
  };
}

/** How many sign-ins have been turned away in the last days, and of how many people. */
export async function countRefused(em: EntityManager): Promise<{ people: number; attempts: number }> {
  const [row] = await readRows<{ people: number; attempts: number }>(em, {
    text: `select count(distinct email)::int as people, coalesce(sum(count), 0)::float8 as attempts
      from refused_sign_ins where last_at >= now() - make_interval(days => $1)`,
    values: [KEPT_DAYS],
  });
  return row as { people: number; attempts: number };
}
