import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { Change } from '../../domain/change.ts';
import { type Webhook, wants } from '../../domain/webhook.ts';
import { readFeed } from '../feed-page.ts';
import { messageOf } from './message.ts';
import { advance, type Claim, fail, type Lease, release } from './rows.ts';
import { Sender, type SendOptions } from './sender.ts';
import { verdictOn } from './verdict.ts';

/** How many entries of the feed are read at once. */
const BATCH_SIZE = 100;

/** What deliveries need of the world. */
export interface DeliveryDeps extends SendOptions {
  readonly em: EntityManager;
  readonly log: Logger;
  readonly now: () => Date;
}

/** When to end. */
export interface Ending {
  /** No other delivery is begun. */
  readonly soon: AbortSignal;
  /** The one that is on its way is given up, too. */
  readonly atOnce: AbortSignal;
}

/**
 * Tells a webhook that has been taken of all that it wants, one change after the other in the order of the feed, until
 * there is no more, one fails, or it is to end; then it lets go of it. The webhook's position moves past a change once that
 * is delivered, and not before: each is told at least once. Throws what the database throws; then the lease runs out.
 */
export async function deliver(
  deps: DeliveryDeps,
  hook: Webhook,
  claim: Claim,
  ending: Ending,
): Promise<void> {
  const { em } = deps;
  const sender = new Sender(hook.url, deps);
  let { position, attempts } = claim;
  try {
    for (;;) {
      const entries = await readFeed(em, position, BATCH_SIZE);
      const wanted = entries.filter(({ change: { action }, fields }) => wants(hook, { action, fields }));
      for (const { change, position } of wanted) {
        if (ending.soon.aborted) return await release(em, claim);
        const isDelivered = await attempt(
          deps,
          hook,
          { change, sender, lease: claim, number: attempts + 1 },
          ending,
        );
        if (!isDelivered || !(await advance(em, claim, position, true))) return;
        attempts = 0;
      }
      const last = entries.at(-1);
      if (last === undefined) return await release(em, claim);
      if (last !== wanted.at(-1) && !(await advance(em, claim, last.position, false))) return;
      position = last.position;
    }
  } catch (error) {
    if (!ending.atOnce.aborted) throw error;
    await release(em, claim);
  } finally {
    sender.close();
  }
}

interface Attempt {
  readonly change: Change;
  readonly sender: Sender;
  readonly lease: Lease;
  /** From 1. */
  readonly number: number;
}

/** Tells of one change. Says whether that went well; if not, it has been noted, and the webhook let go of. */
async function attempt(
  { em, log, now }: DeliveryDeps,
  { name, secrets }: Webhook,
  { change, sender, lease, number }: Attempt,
  ending: Ending,
): Promise<boolean> {
  const answer = await sender.send(messageOf(change, secrets, now()), ending.atOnce);
  const verdict = verdictOn(answer, number, now());
  const context = { webhook: name, changeId: change.id, attempt: number };
  if (verdict === undefined) {
    if (number > 1) log.info(context, 'webhook delivered at last');
    return true;
  }
  const isParked = await fail(em, lease, { changeId: change.id, ...verdict });
  const { reason, delayMs } = verdict;
  if (isParked) log.error({ ...context, reason }, 'webhook parked: it gets no more until it is resumed');
  else log.warn({ ...context, reason, retryInMs: Math.round(delayMs) }, 'webhook failed');
  return false;
}
