import type { EntityManager } from '@mikro-orm/postgresql';
import type { ErrorCode } from '../domain/errors.ts';
import type { CursorCodec } from '../security/cursor.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, positionOf } from './paging.ts';
import { readRows } from './rows.ts';

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

const NOTE = `
  insert into refused_sign_ins as refused (email, reason) values ($1, $2)
  on conflict (email, reason) do update set count = least(refused.count, 2147483646) + 1, last_at = now()
  returning xmax = 0 as "isNew"`;

// Those that others are about to change are left for the next time.
const PRUNE = `
  delete from refused_sign_ins using (
    select email, reason from refused_sign_ins
     where last_at < now() - make_interval(days => $1)
        or last_at < (select last_at from refused_sign_ins order by last_at desc offset $2 limit 1)
       for update skip locked
  ) as old
  where refused_sign_ins.email = old.email and refused_sign_ins.reason = old.reason`;

/** Counts a refusal, whatever becomes of the request; forgets the oldest ones when there are too many. */
export async function noteRefusal(em: EntityManager, email: string, reason: ErrorCode): Promise<void> {
  const [noted] = await readRows<{ isNew: boolean }>(em, { text: NOTE, values: [email, reason] });
  if (noted?.isNew) await readRows(em, { text: PRUNE, values: [KEPT_DAYS, MAX_KEPT] });
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
  const dateOf = (text: string) => em.getPlatform().parseDate(text);
  return {
    items: rows
      .slice(0, limit)
      .map((row) => ({ ...row, firstAt: dateOf(row.firstAt), lastAt: dateOf(row.lastAt) })),
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
