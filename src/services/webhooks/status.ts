import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../../domain/refusals.ts';
import type { Webhook } from '../../domain/webhook.ts';
import { EPOCH, type Sight } from '../../store/feed-epoch.ts';
import type { FeedPosition } from '../../store/feed-position.ts';
import { dateOf } from '../../store/rows.ts';
import type { Unit } from '../../store/unit.ts';

/** Delivery states: working, retrying a failed delivery, or stopped until it is resumed. */
export const WEBHOOK_STATES = ['active', 'retrying', 'parked'] as const;

/** The delivery status of a webhook. */
export interface WebhookStatus {
  readonly hook: Webhook;
  readonly state: (typeof WEBHOOK_STATES)[number];
  readonly position: FeedPosition;
  /** The time of the oldest change after its position; `null` where there is none. */
  readonly pendingSince: Date | null;
  /** The change whose delivery fails, the number of attempts, and the time of the first failure. */
  readonly failingChangeId: number | null;
  readonly attempts: number;
  readonly failingSince: Date | null;
  readonly nextAttemptAt: Date | null;
  readonly lastError: string | null;
  readonly lastDeliveredAt: Date | null;
}

/** A row as the driver reads it. */
interface Row extends Pick<WebhookStatus, 'attempts' | 'lastError'>, Pick<Sight, 'lsn'> {
  readonly name: string;
  readonly transactionId: string;
  readonly changeId: string;
  readonly epoch: string | null;
  readonly pendingSince: string | null;
  readonly failingChangeId: string | null;
  readonly failingSince: string | null;
  readonly nextAttemptAt: string | null;
  readonly parkedAt: string | null;
  readonly lastDeliveredAt: string | null;
}

const SELECT = `
  select name, transaction_id::text as "transactionId", change_id as "changeId", epoch, lsn, attempts,
         failing_since as "failingSince", failing_change_id as "failingChangeId", next_attempt_at as "nextAttemptAt",
         parked_at as "parkedAt", last_error as "lastError", last_delivered_at as "lastDeliveredAt",
         (select at from changes
           where (changes.transaction_id, changes.id) > (webhooks.transaction_id, webhooks.change_id)
           order by changes.transaction_id, changes.id limit 1) as "pendingSince"
    from webhooks cross join (${EPOCH}) as present where name = any(string_to_array(?, ','))`;

const RESUME = `
  update webhooks set
    (transaction_id, change_id) = (
      select coalesce(passed.transaction_id, webhooks.transaction_id), coalesce(passed.id, webhooks.change_id)
        from (select) as always
        left join changes as passed on passed.id = webhooks.failing_change_id and passed.id = ?::bigint
    ),
    attempts = 0, failing_since = null, failing_change_id = null, next_attempt_at = null, parked_at = null, last_error = null
   where name = ?`;

/** The delivery status of each webhook, in one query. */
export async function webhookStatuses(
  em: EntityManager,
  hooks: readonly Webhook[],
): Promise<WebhookStatus[]> {
  const rows = await em.execute<Row[]>(SELECT, [hooks.map(({ name }) => name).join()]);
  return hooks.flatMap((hook) => {
    const row = rows.find(({ name }) => name === hook.name);
    return row === undefined ? [] : statusOf(em, hook, row);
  });
}

/**
 * Resumes a parked or retrying webhook: it is tried again at once, with all its retries; an active one stays as it is. `skip`
 * passes over the change with this id, if it is the one that fails. The transaction is left open for the unit to commit.
 * Throws `not_found`.
 */
export async function resumeWebhook(
  unit: Unit,
  hooks: readonly Webhook[],
  { name, skip }: { readonly name: string; readonly skip?: number | undefined },
): Promise<WebhookStatus> {
  const known = hooks.filter((hook) => hook.name === name);
  if (known.length === 0) throw refusals.notFound();
  const { em } = unit;
  await unit.begin();
  await em.execute(RESUME, [skip ?? null, name]);
  const [status] = await webhookStatuses(em, known);
  if (status === undefined) throw refusals.notFound();
  return status;
}

function statusOf(em: EntityManager, hook: Webhook, row: Row): WebhookStatus {
  const dateOrNull = (text: string | null) => (text === null ? null : dateOf(em, text));
  const { transactionId, changeId, epoch, lsn, failingChangeId, attempts, lastError } = row;
  return {
    hook,
    state: row.parkedAt !== null ? 'parked' : row.failingSince !== null ? 'retrying' : 'active',
    position: { transactionId, id: Number(changeId), ...(epoch !== null && { seen: { epoch, lsn } }) },
    pendingSince: dateOrNull(row.pendingSince),
    failingChangeId: failingChangeId === null ? null : Number(failingChangeId),
    attempts,
    failingSince: dateOrNull(row.failingSince),
    nextAttemptAt: row.parkedAt === null ? dateOrNull(row.nextAttemptAt) : null,
    lastError,
    lastDeliveredAt: dateOrNull(row.lastDeliveredAt),
  };
}
