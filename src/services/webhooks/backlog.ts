import type { Ask } from '../../store/statements.ts';

/** The most changes that are counted for a webhook. */
export const MAX_COUNTED = 10_000;

/** What a webhook has before it. */
export interface WebhookBacklog {
  readonly name: string;
  /** The changes after its position, wanted or not; {@link MAX_COUNTED} stands for more. */
  readonly changes: number;
  /** The age of the oldest of them, in seconds; 0 where there is none. */
  readonly oldestSeconds: number;
  /** How many attempts at the next change have failed. */
  readonly attempts: number;
  readonly isParked: boolean;
}

const AFTER = `from changes
   where (changes.transaction_id, changes.id) > (webhooks.transaction_id, webhooks.change_id)
   order by changes.transaction_id, changes.id`;

const BACKLOGS = `
  select name, attempts, parked_at is not null as "isParked",
         (select count(*)::int from (select ${AFTER} limit ${MAX_COUNTED}) as pending) as changes,
         coalesce((select greatest(0, extract(epoch from clock_timestamp() - at)) ${AFTER} limit 1), 0)::float8 as "oldestSeconds"
    from webhooks where name = any($1) order by name`;

/** The backlog of each webhook with one of these names, in one query. */
export async function webhookBacklogs(ask: Ask, names: readonly string[]): Promise<WebhookBacklog[]> {
  return names.length === 0 ? [] : ask<WebhookBacklog>({ text: BACKLOGS, values: [names] });
}
