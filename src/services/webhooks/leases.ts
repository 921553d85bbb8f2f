import { IsolationLevel } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Webhook } from '../../domain/webhook.ts';
import { EPOCH, renewEpoch } from '../../store/feed-epoch.ts';
import { HORIZON } from '../../store/feed-order.ts';
import { FEED_END } from '../../store/feed-page.ts';
import type { FeedPosition } from '../../store/feed-position.ts';
import type { Verdict } from './verdict.ts';

/** How long a lease lasts unless it is prolonged: longer than the longest delivery. */
const LEASE_MS = 60_000;

/** How long a delivery is retried after its first failure, before the webhook is parked. */
const PATIENCE_MS = 24 * 60 * 60 * 1000;

/** The width of the column. */
const MAX_ERROR_LENGTH = 300;

/** A process's lease of a webhook. */
export interface Lease {
  readonly name: string;
  /** The id of the process. */
  readonly holder: string;
  /** The life of the database that it was given in: it is none in another, which may lack what was delivered. */
  readonly epoch: string;
}

/** A lease that has just begun. */
export interface Claim extends Lease {
  readonly position: FeedPosition;
  /** How many attempts at the next change have failed. */
  readonly attempts: number;
}

/** The leases that one statement gave. */
export interface Claims {
  readonly claims: readonly Claim[];
  /** The epoch that the database is in; `undefined` where nothing was due. */
  readonly epoch: string | undefined;
}

/** A failed delivery. */
export interface Failure extends Verdict {
  readonly changeId: number;
}

// The database's clock counts for all replicas. Without `lease_until` there is no lease, and `lease_holder` was the last one.
const FROM_NOW = "clock_timestamp() + ?::float8 * interval '1 millisecond'";

// Evaluated with the statement: the server that answers may be another one than that of the claim.
const PRESENT = `(select epoch from (${EPOCH}) as present)`;

const REGISTER = `
  insert into webhooks (name, transaction_id, change_id)
  select name, coalesce(last.transaction_id, '0'), coalesce(last.id, 0)
    from unnest(string_to_array(?, ',')) as name
    left join (${FEED_END}) as last on true
  on conflict (name) do nothing`;

// The next change is looked up by its position; for an `exists`, PostgreSQL may scan the whole table.
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
  returning webhooks.name, transaction_id::text as "transactionId", change_id as "changeId", attempts,
            ${PRESENT} as epoch`;

const ADVANCE = `
  update webhooks set
    transaction_id = ?::xid8, change_id = ?::bigint, lease_until = ${FROM_NOW},
    attempts = 0, failing_since = null, failing_change_id = null, next_attempt_at = null, last_error = null,
    last_delivered_at = case when ?::boolean then clock_timestamp() else last_delivered_at end
   where name = ?::text and lease_holder = ?::uuid and ${PRESENT} = ?::text
  returning name`;

const FAIL = `
  update webhooks set
    lease_until = null, attempts = attempts + 1, failing_change_id = ?::bigint, last_error = ?::text,
    failing_since = coalesce(failing_since, clock_timestamp()),
    next_attempt_at = least(${FROM_NOW}, coalesce(failing_since, clock_timestamp()) + ?::float8 * interval '1 millisecond'),
    parked_at = case when ?::boolean or failing_since <= clock_timestamp() - ?::float8 * interval '1 millisecond'
                     then clock_timestamp() end
   where name = ?::text and lease_holder = ?::uuid and ${PRESENT} = ?::text
  returning parked_at is not null as "isParked"`;

const RELEASE = `
  update webhooks set lease_until = null where name = ?::text and lease_holder = ?::uuid`;

/** Registers webhooks: a new one starts at the present end of the feed, a known one keeps its position. */
export async function registerWebhooks(em: EntityManager, hooks: readonly Webhook[]): Promise<void> {
  if (hooks.length === 0) return;
  await em.transactional(
    async (em) => {
      // A start waits as long as it may; the limit of the session is for requests.
      await em.execute('set local lock_timeout = 0');
      await em.execute(REGISTER, [hooks.map(({ name }) => name).join()]);
    },
    { isolationLevel: IsolationLevel.READ_COMMITTED },
  );
}

/**
 * Claims for `holder` the webhooks that have something to deliver and that no other process holds, in one statement: no
 * transaction may stay open during a delivery, because it would hold up the feed. The lease of a killed process expires after
 * a minute.
 */
export async function claimWebhooks(
  em: EntityManager,
  names: readonly string[],
  holder: string,
): Promise<Claims> {
  type Row = Pick<Claim, 'name' | 'attempts'> &
    Record<'transactionId' | 'changeId', string> & { epoch: string | null };
  const rows = await em.execute<Row[]>(CLAIM, [names.join(), holder, holder, LEASE_MS]);
  const [first] = rows;
  if (first === undefined) return { claims: [], epoch: undefined };
  // The same holder claims them again in the epoch that has begun.
  if (first.epoch === null) return { claims: [], epoch: (await renewEpoch(em)).epoch };
  const { epoch } = first;
  const claims = rows.map(({ name, transactionId, changeId, attempts }) => ({
    name,
    holder,
    epoch,
    position: { transactionId, id: Number(changeId) },
    attempts,
  }));
  return { claims, epoch };
}

/** How a webhook reached a position. */
export interface Advance {
  /** Whether the change there was delivered; otherwise the webhook did not want it. */
  readonly isDelivered: boolean;
  /** Whether there are no more changes, and the lease ends. */
  readonly isEnd: boolean;
}

/**
 * Moves a webhook to a position up to which everything that it wants has been delivered, and prolongs the lease. Returns
 * whether the holder still had the lease; otherwise nothing changes.
 */
export async function advance(
  em: EntityManager,
  { name, holder, epoch }: Lease,
  { transactionId, id }: FeedPosition,
  { isDelivered, isEnd }: Advance,
): Promise<boolean> {
  const leaseMs = isEnd ? null : LEASE_MS;
  const values = [transactionId, id, leaseMs, isDelivered, name, holder, epoch];
  return (await em.execute<unknown[]>(ADVANCE, values)).length > 0;
}

/** Stores a failure and ends the lease until the next attempt. Returns whether that parked the webhook. */
export async function fail(
  em: EntityManager,
  { name, holder, epoch }: Lease,
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
    epoch,
  ]);
  return row?.isParked ?? false;
}

/** Ends the lease. */
export async function release(em: EntityManager, { name, holder }: Lease): Promise<void> {
  await em.execute(RELEASE, [name, holder]);
}
