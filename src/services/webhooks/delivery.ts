import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { type Webhook, wants } from '../../domain/webhook.ts';
import { type FeedEntry, readFeed } from '../../store/feed-page.ts';
import { advance, type Claim, fail, type Lease, release } from './leases.ts';
import { messageOf } from './message.ts';
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

/** What has been read is told for so long, and then read again: it may have been erased. */
const FRESH_MS = 30_000;

/**
 * Tells a webhook that has been taken of all that it wants, one change after the other in the order of the feed, until
 * there is no more, one fails, or it is to end; then it lets go of it. The webhook's position moves past a change once that
 * is delivered, and not before: each is told at least once. Throws what the database throws; then the lease has to run out.
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
    reading: for (;;) {
      const readAt = performance.now();
      const entries = await readFeed(em, position, BATCH_SIZE);
      const last = entries.at(-1);
      if (last === undefined) return await release(em, claim);
      const isEnd = entries.length < BATCH_SIZE;
      const wanted = entries.filter(({ change: { action, erasedAt }, fields }) =>
        wants(hook, { action, fields, erasedAt }),
      );
      for (const entry of wanted) {
        if (ending.soon.aborted) return await release(em, claim);
        const number = attempts + 1;
        const isDelivered = await attempt(deps, hook, { entry, sender, lease: claim, number }, ending);
        if (!isDelivered) return;
        const isAll = isEnd && entry === last;
        // With the last one it is let go of, and may be somebody else's from then on.
        if (!(await advance(em, claim, entry.position, { isDelivered, isEnd: isAll })) || isAll) return;
        attempts = 0;
        position = entry.position;
        if (performance.now() - readAt > FRESH_MS) continue reading;
      }
      const isPassed = last !== wanted.at(-1);
      if (isPassed && !(await advance(em, claim, last.position, { isDelivered: false, isEnd }))) return;
      if (isEnd) return;
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
  readonly entry: FeedEntry;
  readonly sender: Sender;
  readonly lease: Lease;
  /** From 1. */
  readonly number: number;
}

/** Tells of one change. Says whether that went well; if not, it has been noted, and the webhook let go of. */
async function attempt(
  { em, log, now }: DeliveryDeps,
  { name, secrets }: Webhook,
  { entry: { change }, sender, lease, number }: Attempt,
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
