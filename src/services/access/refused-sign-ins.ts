import type { EntityManager } from '@mikro-orm/postgresql';
import { LRUCache } from 'lru-cache';
import type { RefusalCode } from '../../domain/refusals.ts';
import { type RowOf, withDates } from '../../store/rows.ts';
import { runAlone } from '../../store/statements.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, type Position, pageOf } from '../paging.ts';
import { lastWrite } from './last-write.ts';

/** How long a refused sign-in is kept. */
export const KEPT_DAYS = 30;

/** The most that are kept: somebody who can sign in with any number of emails must not fill the disk. */
const MAX_KEPT = 10_000;

/** How many are kept when there are too many: finding the oldest takes a while, and is not done for each. */
const KEPT_AFTERWARDS = 9_000;

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

// What was counted in memory before ($3 beyond this refusal) belongs to a row that may have been erased since.
const INSERT = `
  insert into refused_sign_ins as refused (email, reason) values ($1, $2)
  on conflict (email, reason) do update
     set count = least(refused.count::bigint + $3, 2147483647), last_at = now()
  returning xmax = 0 as "isNew"`;

// Only rows that are still there: an email that has been erased since must not come back. Locked in one order, so that no
// two processes deadlock. By ages, because the database's clock counts.
const UPDATE = `
  with counted as (
    select * from jsonb_to_recordset($1::jsonb) as counted (email text, reason text, count int, age float8)
  ), locked as (
    select refused.email, refused.reason, counted.count, now() - age * interval '1 ms' as at
      from refused_sign_ins as refused join counted using (email, reason)
     order by refused.email, refused.reason for update of refused
  )
  update refused_sign_ins as refused
     set count = least(refused.count::bigint + locked.count, 2147483647), last_at = greatest(last_at, at)
    from locked where refused.email = locked.email and refused.reason = locked.reason
  returning refused.email, refused.reason`;

// Emails at subdomains count with their domain, because whoever has a domain has them all; under `co.uk` and its like, a domain
// has three labels. Anybody may claim an email that is not verified: together, these sign-ins have the share of one domain.
const DOMAIN = `case when reason = 'email_unverified' then ''
  else substring(email from '[^.@]+\\.(?:(?:ac|co|com|edu|go|gob|gov|ne|net|or|org)\\.[a-z]{2}|[^.@]+)$') end`;

// Where there are too many, each domain loses its oldest ones in turn, the one with the most first: however many emails somebody
// has at a domain, they push out none of another domain that has fewer. Rows that others are changing are left for the next time.
const PRUNE = `
  delete from refused_sign_ins using (
    select email, reason from refused_sign_ins
     where last_at < now() - make_interval(days => $1)
        or (email, reason) in (
             select email, reason from (
               select email, reason, last_at,
                      row_number() over (partition by ${DOMAIN} order by last_at desc, email desc, reason desc) as place
                 from refused_sign_ins where (select count(*) from refused_sign_ins) > $2
             ) as ranked
              order by place, last_at desc, email desc, reason desc offset $3)
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
 * counted in memory, and lost when the process is killed or ends without its database, when too many other emails push them out, or
 * when their row is erased.
 */
export class RefusedSignInCounter {
  // Not `max`, for which the whole bound is allocated at once.
  readonly #counted = new LRUCache<string, Counted>({ maxSize: MAX_COUNTED, sizeCalculation: () => 1 });
  #flushed = Promise.resolve();

  /** Counts a refusal, even if the request fails. */
  async count(em: EntityManager, email: string, reason: RefusalCode): Promise<void> {
    const now = performance.now();
    const key = keyOf({ email, reason });
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
    if (now - counted.writtenAt >= WRITE_EVERY_MS) await insert(em, counted);
  }

  /** Writes the counts in memory, after those that another request is writing: whoever reads next finds them all. */
  flush(em: EntityManager): Promise<void> {
    const write = () => this.#write(em);
    this.#flushed = this.#flushed.then(write, write);
    return this.#flushed;
  }

  /** Writes what is left at the end of the process, unless the database is gone. */
  async close(em: EntityManager): Promise<void> {
    await lastWrite(this.flush(em).catch(() => undefined));
  }

  async #write(em: EntityManager): Promise<void> {
    const all = [...this.#counted.values()].filter(({ count }) => count > 0);
    if (all.length === 0) return;
    const now = performance.now();
    const rows = await written(all, (counts) => {
      const records = all.map(({ email, reason, lastAt }, index) => ({
        email,
        reason,
        count: counts[index],
        age: now - lastAt,
      }));
      return runAlone<Counted>(em, { text: UPDATE, values: [JSON.stringify(records)] });
    });
    const kept = new Set(rows.map(keyOf));
    // The next refusal of these is a first one.
    for (const key of all.map(keyOf)) if (!kept.has(key)) this.#counted.delete(key);
  }
}

function keyOf({ email, reason }: Pick<Counted, 'email' | 'reason'>): string {
  return `${reason} ${email}`;
}

async function insert(em: EntityManager, counted: Counted): Promise<void> {
  const { email, reason } = counted;
  const rows = await written([counted], ([count]) =>
    runAlone<{ isNew: boolean }>(em, { text: INSERT, values: [email, reason, count] }),
  );
  if (rows.some(({ isNew }) => isNew)) await pruneRefused(em);
}

/** Writes counts and starts them again; counts that could not be written are kept. */
async function written<T>(
  all: readonly Counted[],
  write: (counts: readonly number[]) => Promise<T>,
): Promise<T> {
  const counts = all.map(({ count }) => count);
  const now = performance.now();
  // Before the write: refusals that come during it belong to the next one.
  for (const counted of all) {
    counted.count = 0;
    counted.writtenAt = now;
  }
  try {
    return await write(counts);
  } catch (error) {
    for (const [index, counted] of all.entries()) counted.count += counts[index] ?? 0;
    throw error;
  }
}

/**
 * Deletes what is older than {@link KEPT_DAYS} days and, where there are more than {@link MAX_KEPT}, the oldest of the domains
 * with the most.
 */
export async function pruneRefused(em: EntityManager): Promise<void> {
  await runAlone(em, { text: PRUNE, values: [KEPT_DAYS, MAX_KEPT, KEPT_AFTERWARDS] });
}

type Row = RowOf<RefusedSignIn, 'firstAt' | 'lastAt'>;

/**
 * Lists the refused sign-ins of the last days, latest first, whose email still has no active account: an email that has been
 * invited since is not among them. Only `identity_mismatch` is about active accounts.
 */
export async function listRefused(
  em: EntityManager,
  { limit = DEFAULT_LIMIT, after }: PageRequest,
): Promise<Page<RefusedSignIn>> {
  const rows = await runAlone<Row>(em, {
    text: `select email, reason, count, first_at as "firstAt", last_at as "lastAt"
      from refused_sign_ins as refused
     where last_at >= now() - make_interval(days => $1)
       and ($3::timestamptz is null or (last_at, email, reason) < ($3, $4, $5))
       and (reason = 'identity_mismatch'
         or not exists (select from users where users.email = refused.email and status = 'active'))
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
  const [row] = await runAlone<{ people: number; attempts: number }>(em, {
    text: `select count(distinct email)::int as people, coalesce(sum(count), 0)::float8 as attempts
      from refused_sign_ins where last_at >= now() - make_interval(days => $1)`,
    values: [KEPT_DAYS],
  });
  return row as { people: number; attempts: number };
}
