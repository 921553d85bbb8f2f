import type { EntityManager } from '@mikro-orm/postgresql';
import type { Webhook } from '../../domain/webhook.ts';
import { type FeedPosition, HORIZON } from '../../store/feed-page.ts';
import type { Verdict } from './verdict.ts';

/** How long a webhook is one process's own, unless it moves on: longer than the longest delivery. */
const LEASE_MS = 60_000;

/** How long a delivery is tried again, from the first failure on, before the webhook is parked. */
const PATIENCE_MS = 24 * 60 * 60 * 1000;

/** As long as the column takes. */
const MAX_ERROR_LENGTH = 300;

/** A webhook that a process has taken for itself. */
export interface Lease {
  readonly name: string;
  /** The process. */
  readonly holder: string;
}

/** One that it has just taken. */
export interface Claim extends Lease {
  readonly position: FeedPosition;
  /** How often what comes next has been tried without success. */
  readonly attempts: number;
}

/** A delivery that did not succeed. */
export interface Failure extends Verdict {
  readonly changeId: number;
}

// The database keeps the time for all replicas. A lease without an end is none; its holder was the last one.
const FROM_NOW = "clock_timestamp() + ?::float8 * interval '1 millisecond'";

const REGISTER = `
  insert into webhooks (name, transaction_id, change_id)
  select name, coalesce(last.transaction_id, '0'), coalesce(last.id, 0)
    from unnest(string_to_array(?, ',')) as name
    left join (
      select transaction_id, id from changes
       where transaction_id < ${HORIZON} order by transaction_id desc, id desc limit 1
    ) as last on true
  on conflict (name) do nothing`;

// What comes next is looked up by its place; for an `exists`, PostgreSQL may go over the whole table.
const CLAIM = `
  with due as materialized (
    select name from webhooks
     where name = any(string_to_array(?, ',')) and parked_at is null
       and (lease_until is null or lease_until < clock_timestamp() or lease_holder = ?::uuid)
       and (next_attempt_at is null or next_attempt_at <= clock_timestamp())
       and (
         select true from changes
          where (changes.transaction_id, changes.id) > (webhooks.transaction_id, webhooks.change_id)
            and changes.transaction_id < ${HORIZON}
          order by changes.transaction_id, changes.id limit 1
       )
       for update skip locked
  )
  update webhooks set lease_holder = ?::uuid, lease_until = ${FROM_NOW} from due where webhooks.name = due.name
  returning webhooks.name, transaction_id::text as "transactionId", change_id as "changeId", attempts`;

const ADVANCE = `
  update webhooks set
    transaction_id = ?::xid8, change_id = ?::bigint, lease_until = ${FROM_NOW},
    attempts = 0, failing_since = null, failing_change_id = null, next_attempt_at = null, last_error = null,
    last_delivered_at = case when ?::boolean then clock_timestamp() else last_delivered_at end
   where name = ?::text and lease_holder = ?::uuid
  returning name`;

const FAIL = `
  update webhooks set
    lease_until = null, attempts = attempts + 1, failing_change_id = ?::bigint, last_error = ?::text,
    failing_since = coalesce(failing_since, clock_timestamp()),
    next_attempt_at = least(${FROM_NOW}, coalesce(failing_since, clock_timestamp()) + ?::float8 * interval '1 millisecond'),
    parked_at = case when ?::boolean or failing_since <= clock_timestamp() - ?::float8 * interval '1 millisecond'
                     then clock_timestamp() end
   where name = ?::text and lease_holder = ?::uuid
  returning parked_at is not null as "isParked"`;

const RELEASE = `
  update webhooks set lease_until = null where name = ?::text and lease_holder = ?::uuid`;

/** Gives each webhook that has no place in the feed yet the one at its present end; the others keep theirs. */
export async function registerWebhooks(em: EntityManager, hooks: readonly Webhook[]): Promise<void> {
  if (hooks.length === 0) return;
  await em.execute(REGISTER, [hooks.map(({ name }) => name).join()]);
}

/**
 * Takes those of the webhooks for `holder` that have something to be told of and that nobody else is at, in one statement:
 * no transaction may stay open while one delivers, because the feed stands still for as long. Who is killed lets go after
 * a minute.
 */
export async function claimWebhooks(
  em: EntityManager,
  names: readonly string[],
  holder: string,
): Promise<Claim[]> {
  type Row = { name: string; transactionId: string; changeId: string; attempts: number };
  const rows = await em.execute<Row[]>(CLAIM, [names.join(), holder, holder, LEASE_MS]);
  return rows.map(({ name, transactionId, changeId, attempts }) => {
    return { name, holder, position: { transactionId, id: Number(changeId) }, attempts };
  });
}

/** How a webhook has come to a position. */
export interface Advance {
  /** Whether it has been told of what is there, or did not want it. */
  readonly isDelivered: boolean;
  /** Whether there is no more, and the webhook is let go of. */
  readonly isEnd: boolean;
}

/**
 * Moves a webhook on to a position, up to which it has been told of all that it wants, and prolongs the lease. Says whether
 * the webhook was still the holder's; if not, nothing is moved.
 */
export async function advance(
  em: EntityManager,
  { name, holder }: Lease,
  { transactionId, id }: FeedPosition,
  { isDelivered, isEnd }: Advance,
): Promise<boolean> {
  const leaseMs = isEnd ? null : LEASE_MS;
  const values = [transactionId, id, leaseMs, isDelivered, name, holder];
  return (await em.execute<unknown[]>(ADVANCE, values)).length > 0;
}

/** Notes a failure, and lets go of the webhook until the next try. Says whether it is parked by that. */
export async function fail(
  em: EntityManager,
  { name, holder }: Lease,
  { changeId, reason, delayMs, isFinal }: Failure,
): Promise<boolean> {
  // A certificate may have any sign in its name, and PostgreSQL takes no NUL.
  const error = [...reason.replace(/\p{C}/gu, ' ')].slice(0, MAX_ERROR_LENGTH).join('');
  const [row] = await em.execute<{ isParked: boolean }[]>(FAIL, [
    changeId,
    error,
    delayMs,
    PATIENCE_MS,
    isFinal,
    PATIENCE_MS,
    name,
    holder,
  ]);
  return row?.isParked ?? false;
}

/** Lets go of a webhook. */
export async function release(em: EntityManager, { name, holder }: Lease): Promise<void> {
  await em.execute(RELEASE, [name, holder]);
}
